# Makes page.h: the status page as it is served, and the hashes by which the browser knows its own script and
# style from what others may have put into it.

# Content-Security-Policy writes a hash in base64: 3 hexadecimal digits are 2 characters.
function(hash_for_policy element page result)
  string(REGEX MATCH "<${element}>(.*)</${element}>" found "${page}")
  string(SHA256 digits "${CMAKE_MATCH_1}")
  set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  string(REGEX MATCHALL "..." triples "${digits}00")  # filled up to whole triples
  set(base64 "")
  foreach(triple ${triples})
    math(EXPR first "0x${triple} >> 6")
    math(EXPR second "0x${triple} & 63")
    string(SUBSTRING ${alphabet} ${first} 1 first)
    string(SUBSTRING ${alphabet} ${second} 1 second)
    string(APPEND base64 ${first}${second})
  endforeach()
  string(REGEX REPLACE ".$" "=" base64 ${base64})
  set(${result} sha256-${base64} PARENT_SCOPE)
endfunction()

function(embed_page source header)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(READ ${source} page)
  hash_for_policy(script "${page}" script_hash)
  hash_for_policy(style "${page}" style_hash)
  set(declared "inline constexpr std::string_view")
  file(CONFIGURE OUTPUT ${header} @ONLY CONTENT [[
#pragma once

#include <string_view>

namespace ambbpf {

@declared@ kPageScriptHash = "@script_hash@";
@declared@ kPageStyleHash = "@style_hash@";
@declared@ kPage = R"page(@page@)page";

}  // namespace ambbpf
]])
endfunction()
