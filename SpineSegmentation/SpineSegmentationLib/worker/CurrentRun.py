"""The one thing that the module carries out at a time: a segmentation, several, a remeasurement, or saving a case."""

from collections.abc import Callable


class CurrentRun:
    """Starts runs, of which never two are going on, and says whether one is.

    `run` is the last one that was started.
    """

    def __init__(self):
        self.run: object | None = None
        self.isRunning = False
        self.isCancelling = False

    def start(
        self,
        make: Callable[[Callable[[object, Exception | None], None]], object],
        start: Callable[[object], None],
        onStart: Callable[[], None],
        onEnd: Callable[[object, Exception | None], None] | None,
        wait: bool,
    ) -> object | None:
        """Start the run that `make(ended)` returns with `start(run)`, and call `onStart()` once it is going on.

        With `wait`, returns its result or raises its error; otherwise None at once. `onEnd(result, error)` is called
        at its end in both cases. Raises RuntimeError while another one is running.
        """
        if self.isRunning:
            raise RuntimeError("another scan is being segmented or measured: wait, or cancel it")
        end = []

        def ended(result: object, error: Exception | None) -> None:
            self.isRunning = self.isCancelling = False
            end.extend((result, error))
            if onEnd:
                onEnd(result, error)

        self.run = make(ended)
        self.isRunning = True
        try:
            start(self.run)
        except Exception:
            self.isRunning, self.run = False, None
            raise
        onStart()
        if not wait:
            return None
        self.run.wait()
        result, error = end
        if error:
            raise error
        return result

    def cancel(self) -> None:
        """Stop the run, if there is one."""
        if self.isRunning:
            self.isCancelling = True
            self.run.cancel()

    def close(self) -> None:
        """Stop the run; returns when it has ended."""
        self.isCancelling = self.isRunning
        if self.run is not None:
            self.run.close()
