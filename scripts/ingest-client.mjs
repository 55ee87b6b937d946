// Our side of the ingest benchmark, in a process of its own: fetch, check, sha256, dHash, store in a
// tar. argv: port, images, requests in flight, folder. Prints its cost as a line of JSON: time of all its
// processes, memory of the largest. Linux only.

import { setMaxListeners } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'

const TICKS_PER_SECOND = 100 // Linux

// Before the others are loaded, as the program does.
const { tuneV8 } = await import('../dist/system/v8.js')
tuneV8()
const { SampleError } = await import('../dist/core/errors.js')
const { fetchOptionsSchema } = await import('../dist/ingest/fetch/options.js')
const { imageOptionsSchema } = await import('../dist/ingest/image/options.js')
const { createImageLoader } = await import('../dist/ingest/image/load.js')
const { mapOrdered } = await import('../dist/system/map-ordered.js')
const { openFetchJournal } = await import('../dist/store/posix/fetch-journal.js')
const { createImagesTar } = await import('../dist/store/images-tar.js')
const { createAppendedFile } = await import('../dist/store/posix/appended-file.js')
const { makeFolder } = await import('../dist/store/posix/durable.js')

const [port, count, inFlight] = process.argv.slice(2).map(Number)
const folder = process.argv[5]

const { signal } = new AbortController()
setMaxListeners(0, signal)
const started = performance.now()
const loader = createImageLoader(
  fetchOptionsSchema.parse({
    concurrency: inFlight,
    perHost: inFlight,
    perHostPerSecond: 0,
    allowAddresses: ['127.0.0.1/32'],
    ports: 'any',
    circuitFailures: 1000,
  }),
  imageOptionsSchema.parse({}),
)
await makeFolder(folder)
const journal = await openFetchJournal(folder, { shard: 0, version: 1 })
const tar = createImagesTar(createAppendedFile(path.join(folder, 'images.tar')))
async function* rows() {
  for (let row = 0; row < count; row++) yield row
}
// As a run does: what is received waits in the journal, and is decoded in row order.
const received = mapOrdered(rows(), 1000, async (row) => {
  const url = `http://127.0.0.1:${port}/${row}.jpg`
  try {
    return await loader.receive({ kind: 'url', url }, signal, ({ bytes }) =>
      journal.add(url, bytes),
    )
  } catch (error) {
    if (!(error instanceof SampleError)) throw error
    return { error }
  }
})
const checked = mapOrdered(received, 4, async (fetched) =>
  'error' in fetched
    ? undefined
    : { ...(await loader.check(fetched.part, signal)), read: fetched.read },
)
let images = 0
let row = 0
for await (const loaded of checked) {
  const key = String(row++).padStart(10, '0')
  if (loaded === undefined) continue
  await tar.add({ key, format: loaded.format, bytes: await loaded.read() })
  images++
}
await tar.close()
await journal.remove()
// The process for images is told to us by the system: its peak while it lives, its time once it has ended.
const children = (await readFile(`/proc/self/task/${process.pid}/children`, 'utf8'))
  .trim()
  .split(' ')
const peaks = await Promise.all(['self', ...children].map(peakOf))
await loader.close()
// Fields 14 to 17 of proc(5): user and system time of this process and of those that it waited for.
const stat = (await readFile('/proc/self/stat', 'utf8')).split(') ')[1].split(' ').slice(11, 15)
process.stdout.write(
  `${JSON.stringify({
    images,
    seconds: (performance.now() - started) / 1000,
    cpuSeconds: stat.reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND,
    peakMb: Math.max(...peaks),
  })}\n`,
)

/** MB. */
async function peakOf(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
}
