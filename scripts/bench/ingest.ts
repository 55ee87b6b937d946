// Fetch + check + sha256 + dHash + store, against img2dataset in its default mode (256 x 256, border,
// JPEG) on the same loopback server, one after the other. Give it a Python with img2dataset:
// `npm run bench -- ingest --python venv/bin/python`. CPU is that of whole processes, start included.

import { execFile, spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { z } from 'zod'
import { buildProgram, inFolder } from '../program.ts'
import type { Benchmark } from './benchmark.ts'

const SCRIPTS = path.join(import.meta.dirname, '..')
/** Different images; more URLs than that share them. */
const DISTINCT = 200
const execute = promisify(execFile)

const costSchema = z.object({
  images: z.number(),
  seconds: z.number(),
  cpuSeconds: z.number(),
  peakMb: z.number(),
})
type Cost = z.output<typeof costSchema>

interface Server {
  readonly name: 'fast' | 'slow'
  readonly latencyMs: number
  /** Share of URLs whose first request fails. */
  readonly failing: number
}

const SERVERS: readonly Server[] = [
  { name: 'fast', latencyMs: 0, failing: 0 },
  { name: 'slow', latencyMs: 200, failing: 0.05 },
]

interface Row extends Cost {
  readonly server: Server['name']
  readonly program: 'groundmill' | 'img2dataset'
  readonly imagesPerSecond: number
  readonly imagesPerCpuSecond: number
}

interface IngestResult {
  readonly images: number
  readonly inFlight: number
  readonly meanBytes: number
  readonly rows: readonly Row[]
}

export const benchmark: Benchmark<IngestResult> = {
  options: {
    images: { type: 'string', default: '2000' },
    'in-flight': { type: 'string', default: '64' },
    python: { type: 'string', default: process.env['GROUNDMILL_PYTHON'] ?? 'python3' },
  },
  run: async (options) => {
    const images = Number(options['images'])
    const inFlight = Number(options['in-flight'])
    const python = String(options['python'])
    buildProgram() // what runs is what users run, without tsx
    const hasPeer = await canImport(python, 'img2dataset')
    const rows: Row[] = []
    let meanBytes = 0
    await inFolder(async (folder) => {
      for (const server of SERVERS) {
        const measure = async (program: Row['program'], run: (load: Load) => Promise<Cost>) => {
          // A server of its own for each, because a URL fails once only.
          const running = await startServer(server)
          meanBytes = running.meanBytes
          try {
            const out = path.join(folder, `${program}-${server.name}`)
            const cost = await run({ port: running.port, images, inFlight, out })
            rows.push({
              server: server.name,
              program,
              ...cost,
              imagesPerSecond: cost.images / cost.seconds,
              imagesPerCpuSecond: cost.images / cost.cpuSeconds,
            })
          } finally {
            running.stop()
          }
        }
        await measure('groundmill', runOurs)
        if (hasPeer) await measure('img2dataset', (load) => runPeer(python, load))
      }
    })
    return { images, inFlight, meanBytes, rows }
  },
  format: ({ images, inFlight, meanBytes, rows }) => {
    const table = [
      ['server', 'program', 'images', 'images/s', 'CPU ms/image', 'images/CPU s', 'peak MB'],
      ...rows.map((row) => [
        row.server,
        row.program,
        String(row.images),
        row.imagesPerSecond.toFixed(0),
        ((1000 * row.cpuSeconds) / row.images).toFixed(2),
        row.imagesPerCpuSecond.toFixed(0),
        row.peakMb.toFixed(0),
      ]),
    ]
    const lines = table.map((cells) =>
      cells
        .map((cell) => cell.padEnd(13))
        .join('')
        .trimEnd(),
    )
    const ratios = SERVERS.flatMap(({ name }) => {
      const [ours, peer] = ['groundmill', 'img2dataset'].map((program) =>
        rows.find((row) => row.server === name && row.program === program),
      )
      if (ours === undefined || peer === undefined) return []
      const ratio = (of: (row: Row) => number) => (of(ours) / of(peer)).toFixed(2)
      return [
        `${name}: ${ratio((row) => row.imagesPerCpuSecond)} x its images per CPU second, ` +
          `${ratio((row) => row.imagesPerSecond)} x its images/s, ` +
          `${ratio(({ peakMb }) => peakMb)} x its memory`,
      ]
    })
    return [
      `${images} URLs, JPEG 640 x 480 of ${Math.round(meanBytes / 1024)} KiB, ${inFlight} in flight; ` +
        'slow: 200 ms latency, 5 % of the URLs fail once',
      ...lines,
      ...(ratios.length > 0 ? ratios : ['img2dataset: not installed in the given --python']),
    ].join('\n')
  },
}

async function canImport(python: string, module: string): Promise<boolean> {
  return execute(python, ['-c', `import ${module}`]).then(
    () => true,
    () => false,
  )
}

async function startServer({ latencyMs, failing }: Server) {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', path.join(SCRIPTS, 'ingest-server.ts'), DISTINCT, latencyMs, failing].map(
      String,
    ),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  for await (const line of createInterface({ input: child.stdout })) {
    const started = z.object({ port: z.number(), meanBytes: z.number() }).parse(JSON.parse(line))
    return { ...started, stop: () => child.kill() }
  }
  throw new Error('the server of the benchmark did not start')
}

interface Load {
  readonly port: number
  readonly images: number
  readonly inFlight: number
  /** Where images go. */
  readonly out: string
}

async function runOurs({ port, images, inFlight, out }: Load): Promise<Cost> {
  await mkdir(out)
  const script = path.join(SCRIPTS, 'ingest-client.mjs')
  const numbers = [port, images, inFlight].map(String)
  const { stdout } = await execute(process.execPath, [script, ...numbers, out])
  return costSchema.parse(JSON.parse(stdout))
}

async function runPeer(python: string, { port, images, inFlight, out }: Load): Promise<Cost> {
  const list = `${out}.txt`
  const urls = Array.from({ length: images }, (_, row) => `http://127.0.0.1:${port}/${row}.jpg\n`)
  await writeFile(list, urls.join(''))
  const script = path.join(SCRIPTS, 'ingest-peer.py')
  const { stdout } = await execute(python, [script, list, out, String(inFlight)], {
    env: { ...process.env, NO_ALBUMENTATIONS_UPDATE: '1' },
  })
  return costSchema.parse(JSON.parse(stdout))
}
