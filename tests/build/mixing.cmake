# Links the compiled way (must work), then both ways together (must be refused, and for the right reason).
execute_process(COMMAND ${CXX} ${FLAGS} ${COMPILED} ${BASE} -o ${OUT} RESULT_VARIABLE control ERROR_VARIABLE text)
if(NOT control EQUAL 0)
  message(FATAL_ERROR "the control program does not link:\n${text}")
endif()
execute_process(COMMAND ${CXX} ${FLAGS} ${COMPILED} ${INLINE} ${BASE} -o ${OUT} RESULT_VARIABLE mixed
                ERROR_VARIABLE text)
if(mixed EQUAL 0)
  message(FATAL_ERROR "a program that mixes deprov::core and deprov::deprov was linked")
endif()
if(NOT text MATCHES "deprov_core_is_compiled_or_inline_but_not_both")
  message(FATAL_ERROR "refused for another reason:\n${text}")
endif()
