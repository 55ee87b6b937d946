import { afterEach, describe, expect, it, vi } from 'vitest'
import { startThread } from '../../src/system/worker.ts'
import { createPhraseExtractor, type PhraseExtractor } from '../../src/nlp/extractor.ts'
import { captionOptionsSchema, phraseOptionsSchema } from '../../src/nlp/options.ts'

const LONG = { tags: 'long' }

// Processes and threads take seconds to start on a machine that has too much to do.
vi.setConfig({ testTimeout: 120_000 })

const never = new AbortController().signal
const caption = captionOptionsSchema.parse({ minWords: 1 })

let open: PhraseExtractor | undefined
afterEach(async () => {
  await open?.close()
  open = undefined
})

function real(threads: number): PhraseExtractor {
  open = createPhraseExtractor({ caption, phrases: phraseOptionsSchema.parse({}) }, { threads })
  return open
}

/** Its workers hang, die or throw at captions that say so; all others are their only phrase. */
function poisoned(threads: number, timeoutMs = 300): PhraseExtractor {
  const config = { caption, phrases: phraseOptionsSchema.parse({ timeoutMs }) }
  open = createPhraseExtractor(config, {
    threads,
    start: (options) =>
      startThread(
        { path: './poisoned-worker', from: import.meta.url.replace(/ts$/, 'js') },
        options,
      ),
  })
  return open
}

const inputs = (...captions: string[]) => captions.map((text) => ({ caption: text }))

describe('createPhraseExtractor', () => {
  it('gives one result per caption, in order, whatever batch is done first', LONG, async () => {
    const extractor = real(2)
    const batches = Array.from({ length: 6 }, (_, batch) =>
      Array.from({ length: batch === 0 ? 200 : 5 }, (_, index) => `a cat${batch}x${index}`),
    )

    const results = await Promise.all(
      batches.map((batch) => extractor.extract(inputs(...batch), never)),
    )

    const texts = results.map((batch) =>
      batch.map((result) => ('code' in result ? result.code : result.phrases[0]!.text)),
    )
    expect(texts).toEqual(batches)
  })

  it('gives reasons beside phrases', async () => {
    const results = await real(1).extract(inputs('a red dog', '', 'Ein Hund mit Ball'), never)

    expect(results).toMatchObject([
      { caption: 'a red dog', phrases: [{ text: 'a red dog' }] },
      { code: 'caption_empty' },
      { code: 'caption_language' },
    ])
    expect(await real(1).extract([], never)).toEqual([])
  })

  it('cuts out the caption at which a worker hangs and reads the others', LONG, async () => {
    const results = await poisoned(1).extract(inputs('a', 'HANG', 'b', 'HANG', 'c'), never)

    expect(results).toMatchObject([
      { caption: 'a' },
      { code: 'phrases_timeout', detail: 'no result after 300 ms' },
      { caption: 'b' },
      { code: 'phrases_timeout' },
      { caption: 'c' },
    ])
  })

  it('cuts out the caption at which a worker dies', async () => {
    const results = await poisoned(1).extract(inputs('a', 'DIE', 'b'), never)

    expect(results).toMatchObject([{ caption: 'a' }, { code: 'phrases_timeout' }, { caption: 'b' }])
  })

  it('throws on a bug, with the caption that shows it, and goes on', async () => {
    const extractor = poisoned(1)

    await expect(extractor.extract(inputs('a', 'BUG'), never)).rejects.toThrow(/"BUG".*broken/s)
    expect(await extractor.extract(inputs('b'), never)).toMatchObject([{ caption: 'b' }])
  })

  it('stops waiting when aborted', async () => {
    const controller = new AbortController()
    const extractor = poisoned(1)
    const hanging = extractor.extract(inputs('HANG'), controller.signal)
    const behind = extractor.extract(inputs('a'), controller.signal)

    controller.abort(new Error('enough'))

    await expect(hanging).rejects.toThrow('enough')
    await expect(behind).rejects.toThrow('enough')
    await expect(extractor.extract(inputs('a'), controller.signal)).rejects.toThrow('enough')
    expect(await extractor.extract(inputs('b'), never)).toMatchObject([{ caption: 'b' }])
  })

  it('closes although a worker hangs', async () => {
    const extractor = poisoned(1, 3_600_000)
    await extractor.start()
    const hanging = extractor.extract(inputs('HANG'), never)
    hanging.catch(() => undefined)

    await extractor.close()

    await expect(hanging).rejects.toThrow('closed')
  })

  it('says that a worker does not start', async () => {
    const config = { caption, phrases: phraseOptionsSchema.parse({}) }
    open = createPhraseExtractor(config, {
      threads: 1,
      start: (options) => startThread({ path: './no-such-worker', from: import.meta.url }, options),
    })

    await expect(open.extract(inputs('a'), never)).rejects.toThrow('does not start')
  })

  it('takes nothing once closed', async () => {
    const extractor = real(1)
    await extractor.close()

    await expect(extractor.extract(inputs('a dog'), never)).rejects.toThrow('closed')
  })
})
