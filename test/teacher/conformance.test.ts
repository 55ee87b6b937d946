import { openParts } from '../../src/teacher/open-teacher.ts'
import { itConforms } from './conformance.ts'
import { promptOptions, teacherOptions, TOY } from './toy.ts'

const opens = (model: string) => (options: Parameters<typeof teacherOptions>[0]) =>
  openParts(
    { teacher: teacherOptions({ model, ...options }), prompt: promptOptions() },
    () => undefined,
  )

// GLIP's floor is of a phrase's probability, before centerness.
itConforms('GLIP', { open: opens(TOY), floor: 0 })
itConforms('the dummy', { open: opens('dummy'), floor: 0.05 })
