// Before all tests: the program as users get it, since some tests start and kill it.

export { buildProgram as default } from '../../scripts/program.ts'
