// A teacher without a model, for dry runs and for benchmarks of everything around a teacher: boxes follow
// from the phrase and the size of the image by a rule. Its folder is bundled as any other (teachers/dummy),
// so that runs record its id and the hash of its description, which names the rule.

import { z } from 'zod'
import type { Candidate, Phrase, Size } from '../../core/types.ts'
import type { Row, TeacherAdapter } from '../adapter.ts'
import type { Architecture } from '../architecture.ts'
import { commonFields, filesSchema } from '../description.ts'
import { shortSideInput, type TeacherOptions } from '../options.ts'

const dummySchema = z.object({
  ...commonFields,
  // Whatever its folder is called: what it writes says who made it.
  id: z.literal('dummy'),
  architecture: z.literal('dummy'),
  files: filesSchema(),
  /** Of the boxes. Another rule is another number, so that the description's hash changes with it. */
  rule: z.literal(1),
})

type DummyDescription = z.output<typeof dummySchema>

/** The size at which images reach the bundled GLIP, so that the work before the teacher is the same. */
const INPUT = { shortSide: 256, longSide: 448, padMultiple: 32 }
/** As GLIP's, so that filters have something to drop. */
const FLOOR = 0.05

/** Made-up boxes. */
export const dummy: Architecture<DummyDescription> = {
  name: 'dummy',
  schema: dummySchema,
  load: () => Promise.resolve({ adapt: createDummyAdapter }),
  factsOf: ({ rule }) => [['boxes', `made up by rule ${rule}; there is no model`]],
}

/** Options of `prompt:` and of NMS have no meaning here; a config for another teacher can be tried as it is. */
function createDummyAdapter(teacher: TeacherOptions): TeacherAdapter<readonly Phrase[]> {
  const { candidateScore: floor = FLOOR, maxBoxes = 0 } = teacher
  const limit = maxBoxes === 0 ? Infinity : maxBoxes
  const boxesOf = ({ prompt, input: { original } }: Row<readonly Phrase[]>) =>
    prompt
      .flatMap(({ text }, index) => madeUpBoxes(text, index, original))
      .filter(({ score }) => score > floor)
      .sort((a, b) => b.score - a.score)
      .slice(0, limit)
  return {
    input: shortSideInput(teacher, INPUT),
    promptsOf: ({ phrases }) => ({ prompts: phrases.length === 0 ? [] : [phrases], dropped: [] }),
    batchKeyOf: () => '',
    feedsOf: () => ({}),
    candidatesOf: (_, rows) => Promise.resolve(rows.map(boxesOf)),
    close: () => Promise.resolve(),
  }
}

/**
 * Rule 1: one to three boxes per phrase, each with an area, inside the image.
 *
 * @param size of the stored image, px
 */
export function madeUpBoxes(text: string, phrase: number, { width, height }: Size): Candidate[] {
  const random = numbersFrom(`${phrase} ${text}`)
  const count = 1 + Math.floor(3 * random())
  return Array.from({ length: count }, () => {
    const score = 0.01 + 0.98 * random()
    const [x1, x2] = part(width, random)
    const [y1, y2] = part(height, random)
    return { phrase, score, box: { x1, y1, x2, y2 } }
  })
}

/** A tenth to the whole of a side. */
function part(side: number, random: () => number): readonly [number, number] {
  const length = side * (0.1 + 0.9 * random())
  const start = (side - length) * random()
  return [start, Math.min(side, start + length)]
}

/** Uniform in [0, 1), the same for the same text: FNV-1a, then Numerical Recipes' 32-bit generator. */
function numbersFrom(text: string): () => number {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
