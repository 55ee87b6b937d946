// What labels a shard, without a model, a network or a disk: rows say in their words what becomes of them.

import { createHash } from 'node:crypto'
import { FatalError, SampleError, ShardError } from '../../src/core/errors.ts'
import type { ReasonCode } from '../../src/core/reasons.ts'
import type { CheckedImage, ImageRef, Shard, SourceRow } from '../../src/core/types.ts'
import type { ImageLoader } from '../../src/ingest/image/load.ts'
import type { CaptionSource } from '../../src/ingest/source/source.ts'
import type { PhraseExtractor } from '../../src/nlp/extractor.ts'
import { runOptionsSchema } from '../../src/run/options.ts'
import type { Progress } from '../../src/run/progress.ts'
import type { ShardTools } from '../../src/run/run-shard.ts'
import type { RunStore } from '../../src/store/run-store.ts'
import type { Grounding, Teacher, TeacherSample } from '../../src/teacher/teacher.ts'

/** A row by its fate, or with an image of its own. */
export type FakeRow =
  | 'good'
  /** No phrases. */
  | 'empty'
  /** The source cannot read it. */
  | 'unreadable'
  /** The server says so for ever. */
  | 'gone'
  /** The server says so until the world is well. */
  | 'busy'
  | 'undecodable'
  /** The teacher refuses it when its image is stored already. */
  | 'unteachable'
  /** The whole shard fails, or the whole run. */
  | 'shard-fails'
  | 'run-fails'
  | { readonly image: ImageRef; readonly caption?: string }

/** What changes between attempts, and what was asked. */
export interface FakeWorld {
  isWell: boolean
  readonly asked: string[]
}

/** Row `index` of the source is `rows[index]`. */
export function fakeTools(
  store: RunStore,
  rows: readonly FakeRow[],
  run: Readonly<Record<string, unknown>> = {},
) {
  const world: FakeWorld = { isWell: false, asked: [] }
  const tools: ShardTools = {
    store,
    runId: 'run',
    options: runOptionsSchema.parse(run),
    maxRepeats: undefined,
    source: fakeSource(rows),
    extractor: fakeExtractor(),
    images: fakeImages(world),
    teacher: fakeTeacher(world),
    digestUrl: (url) => createHash('sha256').update(url).digest('hex'),
    onRow: () => undefined,
  }
  return { tools, world }
}

/** Bytes of the image that a URL has. */
export const imageAt = (url: string) => Buffer.from(`image at ${url}`)

/** URL of a row of that fate. */
export const urlOf = (row: number, fate: string) => `http://host/${fate}-${row}`

/** A shard of the rows [start, end). */
export const shardOf = (id: number, start: number, end: number): Shard => ({
  id,
  start,
  end,
  cursor: null,
})

// The fakes below have what shards use, and no more.

function fakeSource(rows: readonly FakeRow[]): CaptionSource {
  const source: Partial<CaptionSource> = {
    async *read({ start, end }) {
      for (let row = start; row < end; row++) {
        const fate = rows[row]!
        if (fate === 'shard-fails') throw new ShardError('the source is away')
        if (fate === 'unreadable') yield { row, code: 'row_malformed', detail: 'not JSON' }
        else yield rowOf(row, fate)
      }
    },
  }
  return source as CaptionSource
}

function rowOf(row: number, fate: FakeRow): SourceRow {
  if (typeof fate !== 'string') return { row, caption: 'a dog', ...fate }
  return { row, image: { kind: 'url', url: urlOf(row, fate) }, caption: `${fate} dog` }
}

function fakeExtractor(): PhraseExtractor {
  const extractor: Partial<PhraseExtractor> = {
    extract: async (batch) =>
      batch.map(({ caption }) => {
        if (caption.startsWith('empty')) return { code: 'phrases_none', detail: 'nothing' }
        const end = caption.length
        const phrase = { start: end - 3, end, text: 'dog', head: 'dog', lemma: 'dog' }
        return { caption, phrases: [phrase], sourceSpans: [phrase] }
      }),
  }
  return extractor as PhraseExtractor
}

function fakeImages(world: FakeWorld): ImageLoader {
  const fail = (code: ReasonCode, httpStatus: number) => {
    throw new SampleError(code, `HTTP ${httpStatus}`, { httpStatus, host: 'host', attempts: 1 })
  }
  const images: Partial<ImageLoader> = {
    admit: () => Promise.resolve(),
    receive: async (ref, _, use) => {
      if (ref.kind === 'bytes') return use({ bytes: ref.bytes })
      const url = ref.kind === 'url' ? ref.url : ref.path
      world.asked.push(url)
      if (url.includes('gone')) fail('http_4xx', 404)
      if (url.includes('busy') && !world.isWell) fail('http_5xx', 503)
      return use({ bytes: imageAt(url) })
    },
    check: async (_, __, row) => {
      if (row?.caption.startsWith('undecodable')) throw new SampleError('decode_error', 'broken')
      return checked(JSON.stringify(row?.image))
    },
  }
  return images as ImageLoader
}

function checked(image: string): CheckedImage {
  const size = { width: 4, height: 4 }
  const input = { data: new Uint8Array(48), original: size, resized: size, padded: size }
  const sha256 = createHash('sha256').update(image).digest('hex')
  return { ...size, format: 'jpg', sha256, dhash: sha256.slice(0, 16), input }
}

function fakeTeacher(world: FakeWorld): Teacher {
  async function* groundShard<S extends TeacherSample>(
    samples: AsyncIterable<S>,
  ): AsyncGenerator<Grounding<S>> {
    for await (const sample of samples) {
      if (sample.caption.startsWith('run-fails')) throw new FatalError('the teacher is gone')
      const isRefused = sample.caption.startsWith('unteachable') && !world.isWell
      const box = { x1: 0, y1: 0, x2: 2, y2: 2 }
      yield isRefused
        ? { sample, error: new SampleError('teacher_failed', 'refused') }
        : { sample, candidates: [{ phrase: 0, score: 0.5, box }], droppedPhrases: [] }
    }
  }
  const teacher: Partial<Teacher> = { provider: 'fake', groundShard }
  return teacher as Teacher
}

/** Progress that keeps what it is told. */
export function recordingProgress() {
  const told = { rows: 0, notes: [] as string[], warnings: [] as string[] }
  const progress: Progress = {
    begin: () => undefined,
    advance: (rows = 1) => {
      told.rows += rows
    },
    note: (message) => {
      told.notes.push(message)
    },
    warn: (message) => {
      told.warnings.push(message)
    },
    end: () => undefined,
  }
  return { progress, told }
}
