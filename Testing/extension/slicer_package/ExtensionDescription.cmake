# Says what the extension's catalogue would be told.
foreach(name HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  message(STATUS "EXTENSION_${name}=${EXTENSION_${name}}")
endforeach()
