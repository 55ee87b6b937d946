import { spawnSync } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { FatalError } from '../../../src/core/errors.ts'
import { imageOptionsSchema, type ImageOptions } from '../../../src/ingest/image/options.ts'
import { createImageProcesses } from '../../../src/ingest/image/processes.ts'
import { makeJpeg } from '../../helpers/images.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

// Processes and threads take seconds to start on a machine that has too much to do.
vi.setConfig({ testTimeout: 120_000 })

const { signal } = new AbortController()

/** Run in every process before its own code: images that say so end it, or keep it. */
const PRELOADED = `
if (process.argv[1]?.includes('image/process')) {
  const startMs = Number(process.env.SLOW_START ?? 0)
  if (startMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, startMs)
  const emit = process.emit
  process.emit = function (name, message, ...rest) {
    if (name === 'message') {
      const text = Buffer.from(message.request).toString('latin1')
      if (text.includes('CRASH')) process.kill(process.pid, 'SIGKILL')
      if (text.includes('HANG')) for (;;);
    }
    return emit.call(this, name, message, ...rest)
  }
}`

function start(options: Partial<ImageOptions> = {}) {
  const processes = createImageProcesses({
    options: imageOptionsSchema.parse(options),
    input: { kind: 'short-side', shortSide: 64, longSide: 128, padMultiple: 32 },
    withPixels: false,
  })
  onTestFinished(() => processes.close())
  return processes
}

describe('processes for images', () => {
  let jpeg: Buffer
  beforeAll(async () => {
    jpeg = await makeJpeg({ width: 96, height: 64 })
  })
  beforeEach(async () => {
    const preload = path.join(await temporaryFolder(), 'preload.cjs')
    await fs.writeFile(preload, PRELOADED)
    vi.stubEnv('NODE_OPTIONS', `--require ${preload}`)
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })
  const marked = (text: string) => Buffer.concat([jpeg, Buffer.from(text)])

  it('check and fit images, of memory or of a file', async () => {
    const processes = start()
    const file = path.join(await temporaryFolder(), 'two')
    await fs.writeFile(file, Buffer.concat([Buffer.from('before'), jpeg, Buffer.from('after')]))

    const [first, second] = await Promise.all([
      processes.check(jpeg, signal),
      processes.check({ path: file, offset: 6, length: jpeg.length }, signal),
    ])

    expect(first.checked).toMatchObject({
      width: 96,
      height: 64,
      format: 'jpg',
      input: { resized: { width: 96, height: 64 }, padded: { width: 96, height: 64 } },
    })
    expect(second).toEqual(first)
  })

  it('let threads finish that others wait for', async (test) => {
    if (spawnSync('chrt', ['-b', '0', 'true']).status !== 0) return test.skip('no chrt here')
    const SCHED_BATCH = 3
    const children = `/proc/self/task/${process.pid}/children`
    const before = (await fs.readFile(children, 'utf8')).split(' ')

    await start().check(jpeg, signal)

    const [child] = (await fs.readFile(children, 'utf8'))
      .split(' ')
      .filter((pid) => !before.includes(pid))
    const policies = async () => {
      const threads = await fs.readdir(`/proc/${child}/task`)
      return Promise.all(
        threads.map(async (thread) => {
          const stat = await fs.readFile(`/proc/${child}/task/${thread}/stat`, 'utf8')
          return Number(stat.split(') ')[1]!.split(' ')[38]) // field 41 of proc(5), without two
        }),
      )
    }
    const isSet = async () => {
      expect(new Set(await policies())).toEqual(new Set([SCHED_BATCH]))
    }
    await vi.waitFor(isSet, { timeout: 60_000 })
  })

  it('lose one image to a crash, and no other', async () => {
    const processes = start()
    await processes.check(jpeg, signal)

    const outcomes = await Promise.allSettled(
      [jpeg, marked('CRASH'), jpeg, marked('CRASH'), jpeg].map((bytes) =>
        processes.check(bytes, signal),
      ),
    )

    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue
      expect(outcome.reason).toMatchObject({
        code: 'decode_error',
        message: 'the decoder ended with SIGKILL',
      })
    }
    expect(await processes.check(jpeg, signal)).toBeDefined()
  })

  it('end an image that does not end', { tags: 'long' }, async () => {
    const processes = start({ decodeTimeoutMs: 1000 })

    const outcomes = await Promise.allSettled([
      processes.check(marked('HANG'), signal),
      processes.check(jpeg, signal),
    ])

    expect(outcomes[0]).toMatchObject({
      status: 'rejected',
      reason: { code: 'decode_timeout', message: 'the decoder did not end' },
    })
    expect(outcomes[1]).toMatchObject({ status: 'fulfilled' })
  })

  it('have their time from when they are ready', { tags: 'long' }, async () => {
    vi.stubEnv('SLOW_START', '3000')

    // The start alone takes longer than two images may.
    const { checked } = await start({ decodeTimeoutMs: 1000, decoders: 1 }).check(jpeg, signal)

    expect(checked).toMatchObject({ width: 96 })
  })

  it('are not waited for by whoever aborts, nor at the end', async () => {
    const processes = start({ decodeTimeoutMs: 3_600_000 })
    const controller = new AbortController()
    await processes.check(jpeg, signal)
    const hanging = processes.check(marked('HANG'), controller.signal)

    controller.abort(new Error('enough'))
    await expect(hanging).rejects.toThrow('enough')
    await processes.close()

    await expect(processes.check(jpeg, signal)).rejects.toThrow('closed')
  })

  it('are fatal if they do not start', async () => {
    vi.stubEnv('NODE_OPTIONS', '--require /no/such/file.cjs')
    const checked = start().check(jpeg, signal)

    await expect(checked).rejects.toThrow(FatalError)
    await expect(checked).rejects.toThrow(/^the process for images ended with code 1/)
  })
})
