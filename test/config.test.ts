import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig, outputConfig } from '../src/config.ts'
import { ConfigError } from '../src/core/errors.ts'
import { temporaryFolder } from './helpers/temporary-folder.ts'

/** Writes files into a folder and returns a function from name to path. */
async function files(contents: Record<string, string>): Promise<(name: string) => string> {
  const folder = await temporaryFolder()
  for (const [name, text] of Object.entries(contents)) {
    await fs.mkdir(path.dirname(path.join(folder, name)), { recursive: true })
    await fs.writeFile(path.join(folder, name), text)
  }
  return (name) => path.join(folder, name)
}

describe('loadConfig', () => {
  it('fills in the defaults of every section', async () => {
    const config = await loadConfig(undefined)

    expect(config.source).toBeUndefined()
    expect(config.run).toMatchObject({ samplesPerShard: 1000, storeImages: 'auto' })
    expect(Object.keys(config)).toEqual(
      expect.arrayContaining(['caption', 'phrases', 'fetch', 'image', 'teacher', 'filter']),
    )
  })

  it('lets a file override what it extends, key by key, lists as a whole', async () => {
    const at = await files({
      'base/deep.yaml': 'run: { samplesPerShard: 7, imagesAhead: 3 }\nteacher: { batchSize: 2 }',
      'base/mid.yaml': 'extends: deep.yaml\nsource: { files: [a.tsv, b.tsv] }',
      'top.yaml': 'extends: base/mid.yaml\nrun: { imagesAhead: 5 }\nsource: { files: [c.tsv] }',
    })

    const config = await loadConfig(at('top.yaml'))

    expect(config.run).toMatchObject({ samplesPerShard: 7, imagesAhead: 5 })
    expect(config.teacher.batchSize).toBe(2)
    expect(config.source?.files).toEqual(['c.tsv'])
  })

  it('applies settings in order, with YAML values', async () => {
    const config = await loadConfig(undefined, [
      'run.samplesPerShard=5',
      'run.samplesPerShard=6',
      'source.files=[a.tsv, b.tsv]',
      'source.columns.caption=text=',
    ])

    expect(config.run.samplesPerShard).toBe(6)
    expect(config.source?.files).toEqual(['a.tsv', 'b.tsv'])
    expect(config.source?.columns.caption).toBe('text=')
  })

  it('takes an empty file for the defaults', async () => {
    const at = await files({ 'empty.yaml': '# nothing\n' })

    expect(await loadConfig(at('empty.yaml'))).toEqual(await loadConfig(undefined))
  })

  it.each([
    ['techer: {}', 'techer: unknown key; did you mean "teacher"?'],
    ['teacher: { batchsize: 4 }', 'teacher.batchsize: unknown key; did you mean "batchSize"?'],
    ['run: { shards: 4 }', 'run.shards: unknown key'],
    [
      'source: { files: a.tsv, columns: { captoin: x } }',
      'source.columns.captoin: unknown key; did you mean "caption"?',
    ],
    ['teacher: { zzzzzzzz: 1 }', 'known are batchSize, boxThreads, candidateScore,'],
    ['run: { samplesPerShard: 0 }', '; given: 0'],
    ['run: { samplesPerShard: many }', '; given: "many"'],
    ['run: { storeImages: perhaps }', 'run.storeImages: '],
    ['prompt: { phrasesPerForward: 3 }', 'only has a meaning with mode: joined'],
    ['run: 7', 'run: '],
    ['- run', 'expected sections such as "teacher:"'],
    ['run: {', 'config.yaml'],
    ['run: { limit: 1 }\nrun: { limit: 2 }', 'unique'],
    ['extends: 7', '"extends" must be the path of a YAML file'],
    ['extends: gone.yaml', 'gone.yaml'],
    ['extends: config.yaml', 'extends itself'],
  ])('refuses %j and says why', async (text, message) => {
    const at = await files({ 'config.yaml': text })

    const error: unknown = await loadConfig(at('config.yaml')).catch((reason: unknown) => reason)

    expect(error).toBeInstanceOf(ConfigError)
    expect((error as ConfigError).message).toContain(message)
    expect((error as ConfigError).message).toContain(at('').slice(0, -1))
  })

  it.each([
    ['teacher.batchSize', 'write key=value'],
    ['=4', 'write key=value'],
    ['teacher.batchSize={', 'the value is no YAML'],
    ['teacher.batchSize=', 'teacher.batchSize: '],
    ['teacher.batchSize=four', 'teacher.batchSize: '],
    ['teacher.batchSiz=4', 'did you mean "batchSize"?'],
    ['teacher=4', 'teacher: '],
    ['teacher.batchSize.more=4', 'teacher.batchSize: '],
  ])('refuses --set %s', async (setting, message) => {
    await expect(loadConfig(undefined, [setting])).rejects.toThrow(ConfigError)
    await expect(loadConfig(undefined, [setting])).rejects.toThrow(message)
  })

  it('names every problem of a file at once', async () => {
    const at = await files({ 'config.yaml': 'techer: {}\nrun: { limit: -1 }' })

    await expect(loadConfig(at('config.yaml'))).rejects.toThrow(
      /techer[^]*run\.limit|run\.limit[^]*techer/,
    )
  })
})

describe('outputConfig', () => {
  it('holds what decides the bytes of a run and nothing else', async () => {
    const base = outputConfig(await loadConfig(undefined))
    const same = ['run.shardsInFlight=9', 'teacher.threads=3', 'filter.score=0.9', 'source.files=x']
    const other = ['run.samplesPerShard=9', 'caption.minWords=1', 'image.minSide=1']

    for (const setting of same) {
      expect(outputConfig(await loadConfig(undefined, [setting]))).toEqual(base)
    }
    for (const setting of other) {
      expect(outputConfig(await loadConfig(undefined, [setting]))).not.toEqual(base)
    }
  })

  it('has how rows are read, while the source itself says which', async () => {
    const base = outputConfig(await loadConfig(undefined))
    const files = ['source.files=a.tsv', 'source.type=tsv', 'source.columns.caption=text']
    const reading = ['source.phraseUnits=utf16', 'source.imageRoot=pictures', 'source.quotes=true']

    expect(outputConfig(await loadConfig(undefined, files))).toEqual(base)
    for (const setting of reading) {
      expect(outputConfig(await loadConfig(undefined, [setting]))).not.toEqual(base)
    }
  })
})
