"""The lines about the progress of long work: where they go, and that each comes once."""

import contextlib
import io
import logging

from SegTraining.config.console import show_progress


def test_lines_go_to_the_output_of_the_moment(capsys, tmp_path):
    show_progress()
    show_progress()
    log = logging.getLogger("SegTraining.training.callbacks")
    log.info("epoch 1: 100 %")
    with contextlib.redirect_stdout(io.StringIO()) as file:
        log.info("epoch 2")
    log.error("no scan")
    said = capsys.readouterr()
    assert said.out == "epoch 1: 100 %\n" and file.getvalue() == "epoch 2\n" and said.err == "no scan\n"


def test_a_closed_terminal_does_not_end_the_work(monkeypatch, capsys):
    show_progress()
    closed = io.StringIO()
    closed.close()
    with contextlib.redirect_stdout(closed):
        logging.getLogger("SegTraining.training").info("epoch 1")
