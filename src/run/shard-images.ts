// The images of a shard's rows: asked for far ahead of the teacher and kept in the journal, then
// checked, decoded and fitted shortly before it. Rows come out in order; those without an image are refused.

import { SampleError } from '../core/errors.ts'
import { isSealed } from '../core/reasons.ts'
import type { CheckedImage, GroundingRow, SourceRow } from '../core/types.ts'
import type { ImageLoader } from '../ingest/image/load.ts'
import type { FetchJournal, JournaledFetch } from '../store/run-store.ts'
import { createDuplicateFinder } from './duplicates.ts'
import { mapOrdered, type InFlight } from '../system/map-ordered.ts'
import type { RunOptions } from './options.ts'

/** What the images of a shard pass through. */
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
  readonly signal: AbortSignal
}

/** The image was received, is to be read, or cannot be had. */
interface Received<Row> {
  readonly row: Row
  readonly fetched: JournaledFetch | { readonly read: () => Promise<Uint8Array> }
}

/** A row with an image that may be used. */
export interface RowImage<Row> {
  readonly row: Row
  readonly checked: CheckedImage
  /** The bytes to store. */
  readonly read: () => Promise<Uint8Array>
}

/** Encoded images in memory that wait for the teacher, per shard; what lies in the journal stays there. */
const MAX_ENCODED_BYTES = 8 * 2 ** 20
/** Images fitted to the model that wait for it, per shard. */
const MAX_FITTED_BYTES = 32 * 2 ** 20
/** Images of a shard in the decoder at once; more gains nothing. */
const MAX_CHECKS = 4

/** @throws what is no failure of a single row: FatalError, ShardError, the signal's reason */
export async function* loadShardImages<Row extends SourceRow>(
  rows: AsyncIterable<Row>,
  tools: ShardImagesOptions<Row>,
): AsyncGenerator<RowImage<Row>> {
  const duplicates = createDuplicateFinder(tools.options.duplicates, tools.kept)
  async function* withNewUrls(): AsyncGenerator<Row> {
    for await (const row of rows) {
      const error = duplicates.checkUrl(row)
      if (error === undefined) yield row
      else tools.onError(row, error)
    }
  }
  for await (const image of checkAhead(receiveAhead(withNewUrls(), tools), tools)) {
    const duplicate = duplicates.checkImage(image.row.caption, image.checked)
    if (duplicate === undefined) yield image
    else tools.onError(image.row, duplicate)
  }
}

/** Far ahead where images come from the web: what is received waits on disk. */
async function* receiveAhead<Row extends SourceRow>(
  rows: AsyncIterable<Row>,
  { images, journal, options, onError, timed, signal }: ShardImagesOptions<Row>,
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
  { images, options, onError, timed, signal }: ShardImagesOptions<Row>,
): AsyncGenerator<RowImage<Row>> {
  const check = async ({ row, fetched }: Received<Row>) => {
    try {
      if ('error' in fetched) throw fetched.error
      const encoded = 'part' in fetched ? fetched.part : await fetched.read()
      const checked = await timed('images', () => images.check(encoded, signal, row))
      const { reencoded } = checked
      const held = reencoded ?? (encoded instanceof Uint8Array ? encoded : undefined)
      const read = held === undefined ? fetched.read : () => Promise.resolve(held)
      return { row, checked, read, heldBytes: held?.length ?? 0 }
    } catch (error) {
      if (!(error instanceof SampleError)) throw error
      return { row, error }
    }
  }
  type Checked = Awaited<ReturnType<typeof check>>
  const hasRoom = (inFlight: readonly InFlight<Received<Row>, Checked>[]) => {
    let [running, encoded, fitted] = [0, 0, 0]
    for (const { result } of inFlight) {
      if (result === undefined) running++
      else if (result.checked !== undefined) {
        encoded += result.heldBytes
        fitted += result.checked.input?.data.length ?? 0
      }
    }
    return (
      inFlight.length < options.imagesAhead &&
      running < MAX_CHECKS &&
      encoded < MAX_ENCODED_BYTES &&
      fitted < MAX_FITTED_BYTES
    )
  }
  for await (const result of mapOrdered(items, hasRoom, check)) {
    if (result.error !== undefined) onError(result.row, result.error)
    else yield result
  }
}
