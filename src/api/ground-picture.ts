// One picture and its caption, without a run folder: for a look, a service, or a test of a teacher.

import type { Config } from '../config.ts'
import { SampleError } from '../core/errors.ts'
import type { Candidate, ImageFacts, Phrase } from '../core/types.ts'
import { createImageLoader } from '../ingest/image/load.ts'
import { createPhraseFinder } from '../nlp/find-phrases.ts'
import { openTeacher } from '../teacher/open-teacher.ts'
import type { TeacherSample } from '../teacher/teacher.ts'

/** A picture with its caption. */
export interface Picture {
  /** Encoded bytes, or the path of a file. */
  readonly image: Uint8Array | string
  readonly caption: string
}

/** What the teacher found. */
export interface GroundedPicture extends ImageFacts {
  /** Cleaned; the phrases' spans index it. */
  readonly caption: string
  readonly phrases: readonly Phrase[]
  /** Above the floor score, by score descending; boxes in pixels of the upright picture. */
  readonly candidates: readonly Candidate[]
}

/** A teacher that is open, with all that a picture needs on the way to it. */
export interface Grounder {
  /** Name of the model. */
  readonly teacher: string
  /** Score that filters take when none is configured. */
  readonly defaultScore: number
  /**
   * Calls may overlap.
   *
   * @throws SampleError with the code that a run would reject the row with (no phrases, no image, ...)
   */
  ground(picture: Picture, signal?: AbortSignal): Promise<GroundedPicture>
  close(): Promise<void>
}

/**
 * Opens the configured teacher; `caption:`, `phrases:`, `image:`, `prompt:` and `teacher:` hold as in a run.
 *
 * @param log told which provider was taken, and why not another
 * @throws ConfigError when the model or the provider cannot be had; InputError for a damaged folder
 */
export async function openGrounder(
  config: Config,
  log: (message: string) => void = () => undefined,
): Promise<Grounder> {
  const teacher = await openTeacher(config, log)
  const findPhrases = createPhraseFinder(config)
  const images = createImageLoader(config, { input: teacher.input })
  const { signal: never } = new AbortController()
  return {
    teacher: teacher.id,
    defaultScore: teacher.defaultScore,
    async ground({ image, caption: given }, signal = never) {
      const found = findPhrases({ caption: given })
      if ('code' in found) throw new SampleError(found.code, found.detail)
      const { caption, phrases } = found
      const ref =
        typeof image === 'string'
          ? ({ kind: 'file', path: image } as const)
          : ({ kind: 'bytes', bytes: image, name: 'picture' } as const)
      const checked = await images.load({ image: ref, caption: given }, signal)
      const { input, reencoded: _, ...facts } = checked
      if (input === undefined) throw new TypeError('the image loader does not fit images')
      const sample = { caption, phrases, input }
      for await (const grounding of teacher.groundShard(only(sample), signal)) {
        if ('error' in grounding) throw grounding.error
        return { ...facts, caption, phrases, candidates: grounding.candidates }
      }
      signal.throwIfAborted()
      throw new TypeError('the teacher lost a sample')
    },
    close: async () => {
      await Promise.all([teacher.close(), images.close()])
    },
  }
}

async function* only(sample: TeacherSample): AsyncGenerator<TeacherSample> {
  yield sample
}
