# Debian's mbedTLS 2.28 has neither a CMake package nor a pkg-config file. Makes MbedTLS::mbedtls, ::mbedx509, ::mbedcrypto.
find_path(MbedTLS_INCLUDE_DIR mbedtls/ssl.h)
foreach(library mbedtls mbedx509 mbedcrypto)
    find_library(MbedTLS_${library}_LIBRARY ${library})
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(MbedTLS REQUIRED_VARS MbedTLS_INCLUDE_DIR MbedTLS_mbedtls_LIBRARY
    MbedTLS_mbedx509_LIBRARY MbedTLS_mbedcrypto_LIBRARY)
if(MbedTLS_FOUND AND NOT TARGET MbedTLS::mbedcrypto)
    foreach(library mbedtls mbedx509 mbedcrypto)
        add_library(MbedTLS::${library} UNKNOWN IMPORTED)
        set_target_properties(MbedTLS::${library} PROPERTIES
            IMPORTED_LOCATION "${MbedTLS_${library}_LIBRARY}"
            INTERFACE_INCLUDE_DIRECTORIES "${MbedTLS_INCLUDE_DIR}")
    endforeach()
    set_property(TARGET MbedTLS::mbedx509 PROPERTY INTERFACE_LINK_LIBRARIES MbedTLS::mbedcrypto)
    set_property(TARGET MbedTLS::mbedtls PROPERTY INTERFACE_LINK_LIBRARIES MbedTLS::mbedx509)
endif()
