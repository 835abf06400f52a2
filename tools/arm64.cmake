# For arm64, on another architecture: cmake --toolchain tools/arm64.cmake ...
# Takes Debian's packages g++-aarch64-linux-gnu and qemu-user-static, and of the libraries those for arm64
# (libbpf-dev:arm64 ...). tools/test-elsewhere makes a root of Debian that has them.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# By itself pkg-config finds this machine's.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
# The program writes its manual itself, and tests name themselves.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
