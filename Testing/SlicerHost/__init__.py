"""Stand-ins for what slicer-core, the core library of 3D Slicer on PyPI, lacks of the application.

`core` (a scene) and `views` (pictures of it) need slicer-core alone. The rest needs PySide6 too and loads the module's
own files, unchanged, so that tests press its buttons:

    from SlicerHost.host import SlicerHost

    host = SlicerHost()                            # an application with an empty scene; or the pytest fixture `host`
    panel = host.openModule("SpineSegmentation")   # the module's widget object: panel.ui.segmentButton.click()
    host.process(until=lambda: ..., timeout=30)    # events happen only here; raises what slots and observers raised
    host.dialogs.answer("Yes", "/a/file.zip")      # what the person will say to the next questions and file dialogs
    host.dialogs.shown, host.dialogs.texts         # what the person was told and asked
    host.screenshot(panel, "panel.png")            # the whole panel; or any single widget
    panel = host.reload()                          # the button Reload of developers
    host.closeScene(); host.saveScene("x.mrb"); host.loadScene("x.mrb")
    with host.probe() as probe: host.process(...)  # probe.largestGap: longest time (s) without a 10 ms timer's tick
    host.select("")                                # the user goes to another module, or comes back: host.select(name)
    host.testing = True                            # slicer.app.testingEnabled(), as under CTest
    host.close()                                   # quits: `cleanup`, then everything is taken back

A question without a prepared answer is an AssertionError, and so is everything that the host does not know: it never
pretends. A further widget is one class in `ctk_widgets` or `mrml_widgets`. What the host cannot prove stands in
Testing/README.md.
"""
