// Pictures through the TypeScript teacher, and its candidates beside those of another side.

import { configSchema } from '../../src/config.ts'
import { codePointIndex } from '../../src/core/span.ts'
import type { Candidate, InputImage, Phrase } from '../../src/core/types.ts'
import { createImageLoader } from '../../src/ingest/image/load.ts'
import { openTeacher } from '../../src/teacher/open-teacher.ts'

/** A picture and what is asked of it. */
export interface Question {
  readonly key: string
  /** Encoded. */
  readonly bytes: Uint8Array
  readonly caption: string
  /** [start, end) in Unicode code points, as Python counts. */
  readonly spans: readonly (readonly [number, number])[]
}

export interface Answer {
  readonly key: string
  readonly input: InputImage
  /** One per span. */
  readonly phrases: readonly Phrase[]
  readonly candidates: readonly Candidate[]
}

/** Exactly the given phrases, on the CPU; no extractor is involved. */
export async function groundAll(
  options: Readonly<Record<string, unknown>>,
  questions: readonly Question[],
): Promise<{ readonly answers: readonly Answer[]; readonly defaultScore: number }> {
  const config = configSchema.parse({ teacher: { provider: 'cpu', ...options } })
  const signal = new AbortController().signal
  const teacher = await openTeacher(config, () => undefined)
  const loader = createImageLoader(config, { input: teacher.input })
  async function* samples() {
    for (const { key, bytes, caption, spans } of questions) {
      const { input } = await loader.check(bytes, signal)
      const { toUtf16 } = codePointIndex(caption)
      const phrases = spans.map((span): Phrase => {
        const [start, end] = [toUtf16(span[0]), toUtf16(span[1])]
        const text = caption.slice(start, end)
        return { start, end, text, head: text, lemma: text }
      })
      yield { key, caption, phrases, input: input! }
    }
  }
  try {
    const answers: Answer[] = []
    for await (const grounding of teacher.groundShard(samples(), signal)) {
      if ('error' in grounding) throw grounding.error
      const { sample, candidates } = grounding
      answers.push({ ...sample, candidates })
    }
    return { answers, defaultScore: teacher.defaultScore }
  } finally {
    await Promise.all([teacher.close(), loader.close()])
  }
}

/**
 * Pairs each wanted candidate with the nearest of its phrase that is still free.
 *
 * @param distance between the two; undefined when they are not the same detection
 */
export function matchEach<W extends Candidate>(
  wanted: readonly W[],
  given: readonly Candidate[],
  distance: (wanted: W, given: Candidate) => number | undefined,
): { readonly wanted: W; readonly given: Candidate; readonly distance: number }[] {
  const free = new Set(given)
  return wanted.flatMap((each) => {
    const [nearest] = [...free]
      .filter(({ phrase }) => phrase === each.phrase)
      .flatMap((candidate) => {
        const apart = distance(each, candidate)
        return apart === undefined ? [] : [{ wanted: each, given: candidate, distance: apart }]
      })
      .sort((a, b) => a.distance - b.distance)
    if (nearest === undefined) return []
    free.delete(nearest.given)
    return [nearest]
  })
}
