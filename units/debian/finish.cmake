# What Debian has in another way than `cmake --install`, in the directory that becomes the package.
set(share $ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/share)
file(REMOVE ${share}/doc/ambbpf/LICENSE) # copyright says it
file(RENAME ${share}/zsh/site-functions ${share}/zsh/vendor-completions)
execute_process(COMMAND @PROJECT_SOURCE_DIR@/tools/sbom @PROJECT_BINARY_DIR@
  OUTPUT_FILE ${share}/doc/ambbpf/sbom.cdx.json COMMAND_ERROR_IS_FATAL ANY)
configure_file(@changelog@ ${share}/doc/ambbpf/changelog.Debian COPYONLY)
file(GLOB_RECURSE to_compress ${share}/man/* ${share}/doc/ambbpf/changelog.Debian)
execute_process(COMMAND gzip --best --no-name ${to_compress} COMMAND_ERROR_IS_FATAL ANY)
