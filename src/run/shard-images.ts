// The images of a shard's rows: asked for far ahead of the teacher and kept in the journal, then
// checked and decoded shortly before it. Rows come out in order; those without an image are refused.

import { SampleError } from '../core/errors.ts'
import { isSealed } from '../core/reasons.ts'
import type { GroundingRow, LoadedImage, SourceRow } from '../core/types.ts'
import type { ImageLoader } from '../ingest/load-image.ts'
import type { FetchJournal, JournaledFetch } from '../store/fetch-journal.ts'
import { createDuplicateFinder } from './duplicates.ts'
import { mapOrdered, type InFlight } from './map-ordered.ts'
import type { RunOptions } from './options.ts'

export interface ShardImagesOptions<Row extends SourceRow> {
  readonly images: ImageLoader
  readonly journal: FetchJournal
  readonly options: RunOptions
  /** Rows of an earlier version, for rules about duplicates. */
  readonly kept: readonly GroundingRow[]
  /** Called for each row that has no image that may be used. */
  readonly onError: (row: Row, error: SampleError) => void
  /** Adds the time of the work to a stage. */
  readonly timed: <T>(stage: 'fetch' | 'images', work: () => Promise<T>) => Promise<T>
}

/** The image was received, is to be read, or cannot be had. */
interface Received<Row> {
  readonly row: Row
  readonly fetched: JournaledFetch
}

export type WithImage<Row> = Row & Pick<LoadedImage, 'decoded'> & { readonly loaded: LoadedImage }

/** Decoded pixels that wait for the teacher, per shard: 3 bytes each. */
const MAX_WAITING_PIXELS = 32_000_000
/** Images of a shard in the decoder at once; more gains nothing. */
const MAX_CHECKS = 4

/** @throws what is no failure of a single row: FatalError, ShardError, the signal's reason */
export async function* loadShardImages<Row extends SourceRow>(
  rows: AsyncIterable<Row>,
  tools: ShardImagesOptions<Row>,
  signal: AbortSignal,
): AsyncGenerator<WithImage<Row>> {
  const duplicates = createDuplicateFinder(tools.options.duplicates, tools.kept)
  const received = receiveAhead(
    refuseUrls(rows, (row) => duplicates.checkUrl(row), tools),
    tools,
    signal,
  )
  for await (const sample of checkAhead(received, tools, signal)) {
    const duplicate = duplicates.checkImage(sample.caption, sample.loaded)
    if (duplicate === undefined) yield sample
    else tools.onError(sample, duplicate)
  }
}

async function* refuseUrls<Row extends SourceRow>(
  rows: AsyncIterable<Row>,
  check: (row: SourceRow) => SampleError | undefined,
  { onError }: ShardImagesOptions<Row>,
): AsyncGenerator<Row> {
  for await (const row of rows) {
    const error = check(row)
    if (error === undefined) yield row
    else onError(row, error)
  }
}

/** Far ahead where images come from the web: what is received waits on disk. */
async function* receiveAhead<Row extends SourceRow>(
  rows: AsyncIterable<Row>,
  { images, journal, options, onError, timed }: ShardImagesOptions<Row>,
  signal: AbortSignal,
): AsyncGenerator<Received<Row>> {
  // Rows that share a URL share its one fetch.
  const fetches = new Map<string, Promise<JournaledFetch>>()
  const fetch = async (url: string): Promise<JournaledFetch> => {
    const known = journal.find(url)
    if (known !== undefined) return known
    try {
      return await images.receive({ kind: 'url', url }, signal, ({ bytes }) =>
        journal.add(url, bytes),
      )
    } catch (error) {
      if (!(error instanceof SampleError)) throw error
      // Nothing was asked, so the next attempt may ask; a sealed URL must not be written down.
      if (error.code === 'host_circuit_open' || isSealed(error.code)) return { error }
      return journal.add(url, error)
    }
  }
  const fetchOnce = (url: string): Promise<JournaledFetch> => {
    const fetching = fetches.get(url) ?? timed('fetch', () => fetch(url))
    fetches.set(url, fetching)
    return fetching
  }
  const receive = async (row: Row): Promise<Received<Row>> => {
    const { image } = row
    try {
      await images.admit(row)
      if (image.kind === 'url') return { row, fetched: await fetchOnce(image.url) }
    } catch (error) {
      if (!(error instanceof SampleError)) throw error
      return { row, fetched: { error } }
    }
    return { row, fetched: { read: () => images.receive(image, signal, ({ bytes }) => bytes) } }
  }
  const hasRoom = (inFlight: readonly InFlight<Row, Received<Row>>[]) =>
    inFlight.length <
    (inFlight.at(-1)?.item.image.kind === 'url' ? options.fetchAhead : options.imagesAhead)
  for await (const result of mapOrdered(rows, hasRoom, receive)) {
    if ('error' in result.fetched) onError(result.row, result.fetched.error)
    else yield result
  }
}

async function* checkAhead<Row extends SourceRow>(
  items: AsyncIterable<Received<Row>>,
  { images, options, onError, timed }: ShardImagesOptions<Row>,
  signal: AbortSignal,
): AsyncGenerator<WithImage<Row>> {
  const check = async ({ row, fetched }: Received<Row>) => {
    try {
      if ('error' in fetched) throw fetched.error
      const bytes = await fetched.read()
      const loaded = await timed('images', () => images.check(bytes, signal, row))
      return { row, loaded }
    } catch (error) {
      if (!(error instanceof SampleError)) throw error
      return { row, error }
    }
  }
  type Checked = Awaited<ReturnType<typeof check>>
  const hasRoom = (inFlight: readonly InFlight<Received<Row>, Checked>[]) => {
    const waiting = inFlight.flatMap(({ result }) => result ?? [])
    const pixels = waiting.reduce(
      (sum, { loaded }) => sum + (loaded === undefined ? 0 : loaded.width * loaded.height),
      0,
    )
    return (
      inFlight.length < options.imagesAhead &&
      pixels < MAX_WAITING_PIXELS &&
      inFlight.length - waiting.length < MAX_CHECKS
    )
  }
  for await (const result of mapOrdered(items, hasRoom, check)) {
    if (result.error !== undefined) onError(result.row, result.error)
    else yield { ...result.row, loaded: result.loaded, decoded: result.loaded.decoded }
  }
}
