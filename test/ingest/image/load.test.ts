import { spawnSync } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { SampleError } from '../../../src/core/errors.ts'
import type { ImageRef } from '../../../src/core/types.ts'
import { NO_HOOKS } from '../../../src/ingest/fetch/hooks.ts'
import { makeLoader } from '../../helpers/image-loader.ts'
import { makeJpeg } from '../../helpers/images.ts'
import { temporaryFolder } from '../../helpers/temporary-folder.ts'

const { signal } = new AbortController()
const SIZE = { width: 64, height: 48 }
let jpeg: Buffer
beforeAll(async () => {
  jpeg = await makeJpeg(SIZE)
})

const bytesRef = (bytes: Uint8Array): ImageRef => ({ kind: 'bytes', name: 'row 1', bytes })
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: { code?: string }) => error.code,
  )

describe('createImageLoader', { timeout: 120_000 }, () => {
  it('loads an image of the dataset and one of a file alike', async () => {
    const file = path.join(await temporaryFolder(), 'x.jpg')
    await fs.writeFile(file, jpeg)
    const loader = makeLoader()
    const load = (image: ImageRef) => loader.load({ image, caption: '' }, signal)

    const [first, second] = await Promise.all([
      load(bytesRef(jpeg)),
      load({ kind: 'file', path: file }),
    ])

    expect(first).toMatchObject({ ...SIZE, format: 'jpg' })
    expect(second).toEqual(first)
  })
  it('says what is wrong with a file', async () => {
    const folder = await temporaryFolder()
    await fs.writeFile(path.join(folder, 'empty'), '')
    await fs.writeFile(path.join(folder, 'large'), Buffer.alloc(101))
    const loader = makeLoader({ maxBytes: 100 })
    const code = (name: string) =>
      codeOf(loader.receive({ kind: 'file', path: path.join(folder, name) }, signal, () => 0))

    expect(await code('gone')).toBe('file_missing')
    expect(await code('empty/below')).toBe('file_missing')
    expect(await code('')).toBe('file_unreadable')
    expect(await code('empty')).toBe('body_empty')
    expect(await code('large')).toBe('body_too_large')
  })
  it('does not wait at a named pipe', async (test) => {
    const pipe = path.join(await temporaryFolder(), 'pipe')
    if (spawnSync('mkfifo', [pipe]).status !== 0) return test.skip('no mkfifo here')

    const received = makeLoader().receive({ kind: 'file', path: pipe }, signal, () => 0)

    expect(await codeOf(received)).toBe('file_unreadable')
  })
  it('bounds what comes with the dataset, too', async () => {
    const loader = makeLoader({ maxBytes: 100 })

    expect(await codeOf(loader.receive(bytesRef(new Uint8Array(0)), signal, () => 0))).toBe(
      'body_empty',
    )
    expect(await codeOf(loader.receive(bytesRef(jpeg), signal, () => 0))).toBe('body_too_large')
  })
  it('asks hooks in their order, and none for a check without a row', async () => {
    const asked: string[] = []
    const hooks = {
      ...NO_HOOKS,
      wantsPixels: true,
      beforeFetch: async () => void asked.push('beforeFetch'),
      onBytes: async () => void asked.push('onBytes'),
      afterDecode: async () => void asked.push('afterDecode'),
    }
    const loader = makeLoader({}, {}, hooks)

    await loader.load({ image: bytesRef(jpeg), caption: 'a cat' }, signal)
    expect(asked).toEqual(['beforeFetch', 'onBytes', 'afterDecode'])
    await loader.check(jpeg, signal)

    expect(asked).toHaveLength(3)
  })
  it('does not use what a hook refuses', async () => {
    const onBytes = () => Promise.reject(new SampleError('hook_dropped', 'no'))
    const use = vi.fn()
    const loader = makeLoader({}, {}, { ...NO_HOOKS, onBytes })

    expect(await codeOf(loader.receive(bytesRef(jpeg), signal, use))).toBe('hook_dropped')
    expect(use).not.toHaveBeenCalled()
  })
  it('ends with the reason of the signal', async () => {
    const over = AbortSignal.abort(new Error('enough'))
    const loader = makeLoader()

    await expect(loader.receive(bytesRef(jpeg), over, () => 0)).rejects.toThrow('enough')
    await expect(loader.check(jpeg, over)).rejects.toThrow('enough')
  })
})
