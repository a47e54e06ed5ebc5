# cmake -D README=file -D CODE="file;..." -P readme_shows.cmake: fails unless README has each of the
# files, whole and unchanged, as a fenced block.
file(READ ${README} readme)
foreach(path IN LISTS CODE)
  file(READ ${path} code)
  get_filename_component(language ${path} LAST_EXT)
  string(SUBSTRING ${language} 1 -1 language)
  string(FIND "${readme}" "```${language}\n${code}```\n" position)
  if(position EQUAL -1)
    message(FATAL_ERROR "${README} does not show ${path} as it is")
  endif()
  message(STATUS "${README} shows ${path}")
endforeach()
