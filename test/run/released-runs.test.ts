// Run folders of released versions: each later version resumes them and shows their status.

import { readdirSync } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { RunManifest } from '../../src/store/run-manifest.ts'
import { runMain } from '../helpers/main.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

// Their configs name files from the root of the repository, where tests run.
const FIXTURES = 'test/fixtures/runs'
const RELEASED = readdirSync(FIXTURES)
const SHARD = 'shards/00001'

/** JSON of run.json that a test may change. */
interface Stored extends Omit<RunManifest, 'config' | 'identity'> {
  config: Record<string, Record<string, unknown>>
  identity: { config: Record<string, Record<string, unknown>>; meanings?: unknown }
}

interface Copy {
  readonly dir: string
  readonly resume: (...flags: string[]) => ReturnType<typeof runMain>
  readonly stored: () => Promise<Stored>
}

/** A copy of a released run that was killed while it labelled a shard, after a change of its run.json. */
async function killedRun(version: string, change: (stored: Stored) => void = () => undefined) {
  const dir = path.join(await temporaryFolder(), 'run')
  const manifest = path.join(dir, 'run.json')
  await fs.cp(path.join(FIXTURES, version, 'run'), dir, { recursive: true })
  await fs.rm(path.join(dir, SHARD), { recursive: true })
  const config = path.join(FIXTURES, version, 'config.yaml')
  const stored = async () => JSON.parse(await fs.readFile(manifest, 'utf8')) as Stored
  const changed = await stored()
  change(changed)
  await fs.writeFile(manifest, JSON.stringify(changed))
  const copy: Copy = {
    dir,
    resume: (...flags) => runMain('run', config, `--out=${dir}`, '--log=json', ...flags),
    stored,
  }
  return copy
}

/** An option in both places where run.json has it. */
function setStored(stored: Stored, section: string, key: string, value: unknown): void {
  for (const config of [stored.config, stored.identity.config]) config[section]![key] = value
}

describe.each(RELEASED)('a run of groundmill %s', (version) => {
  it('is resumed with the bytes that it would have had', async () => {
    const { dir, resume, stored } = await killedRun(version)
    const before = await stored()

    const status = await runMain('status', dir, '--json')
    const resumed = await resume('--json')
    const after = await runMain('status', dir)

    expect(JSON.parse(status.stdout)).toMatchObject({ shards: { total: 3, committed: 2 } })
    expect(resumed).toMatchObject({ code: 0 })
    expect(JSON.parse(resumed.stdout)).toMatchObject({ isComplete: true, runId: before.runId })
    expect(after.stdout).toMatch(/shards +3 of 3 committed/)
    expect(await stored()).toEqual(before)
    const original = path.join(FIXTURES, version, 'run', SHARD)
    for (const name of ['groundings.parquet', 'images.tar', 'rejects.jsonl']) {
      const [ours, theirs] = await Promise.all(
        [path.join(dir, SHARD), original].map((folder) => fs.readFile(path.join(folder, name))),
      )
      expect(ours!.equals(theirs!), name).toBe(true)
    }
  })

  it('is planned and retried under its own id', async () => {
    const { dir, resume, stored } = await killedRun(version)

    const planned = await resume('--dry-run', '--json')
    const retried = await runMain('retry-failed', dir, '--json', '--set=fetch.retries=0')

    const { runId } = await stored()
    expect(JSON.parse(planned.stdout)).toMatchObject({ runId, isBegun: true })
    expect(retried).toMatchObject({ code: 0 })
    expect(JSON.parse(retried.stdout)).toMatchObject({ recovered: 0 })
  })

  it('is resumed when an option has come since', async () => {
    const { resume } = await killedRun(version, ({ config, identity }) => {
      for (const sections of [config, identity.config]) {
        delete sections['caption']!['dropEmoji']
        delete sections['phrases']!['ngrams']
        delete sections['prompt']
      }
    })

    expect(await resume()).toMatchObject({ code: 0 })
  })

  it('is resumed whatever its sections of the second step hold', async () => {
    const { dir, resume } = await killedRun(version, ({ config }) => {
      config['export'] = { format: 'gone' }
      config['filter']!['gone'] = true
    })

    expect(await resume()).toMatchObject({ code: 0 })
    expect(await runMain('retry-failed', dir)).toMatchObject({ code: 0 })
  })

  it('is refused, with its name, when an option was given another value', async () => {
    const { resume } = await killedRun(version)

    const refused = await resume('--set=caption.minWords=4', '--set=source.phraseUnits=utf16')

    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain('config.caption.minWords: the run has 2, now 4\n')
    expect(refused.stderr).toContain(
      'config.source.phraseUnits: the run has "codePoints", now "utf16"\n',
    )
  })

  it('keeps its defaults where those of today are others', async () => {
    const { resume } = await killedRun(version, (stored) => {
      setStored(stored, 'caption', 'maxWords', 200)
    })

    const refused = await resume()
    const restored = await resume('--set=caption.maxWords=200')

    expect(refused).toMatchObject({ code: 2 })
    expect(refused.stderr).toContain('config.caption.maxWords: the run has 200, now 256')
    expect(restored).toMatchObject({ code: 0 })
  })

  it.each([
    ['does not know', 'shout', true, 'caption.shout: unknown key'],
    ['does not take', 'lang', 'de', 'caption.lang: '],
  ])(
    'is refused, with its name, when it has an option that today %s',
    async (_, key, value, line) => {
      const { dir, resume } = await killedRun(version, (stored) => {
        setStored(stored, 'caption', key, value)
      })

      for (const refused of [await resume(), await runMain('retry-failed', dir)]) {
        expect(refused).toMatchObject({ code: 2, stdout: '' })
        expect(refused.stderr).toContain(`${dir}/run.json was written by groundmill ${version} `)
        expect(refused.stderr).toContain('Go on with the version that wrote it, or choose another')
        expect(refused.stderr).toContain(line)
      }
    },
  )

  it('is refused when an option had another meaning', async () => {
    const { dir, resume } = await killedRun(version, (stored) => {
      stored.identity.meanings = { phrases: 2 }
    })

    const refused = await resume()

    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain(`${dir} was labelled by groundmill ${version}, `)
    expect(refused.stderr).toContain(
      '  phrases (which phrases a caption has): the run has 2, now 1\n',
    )
    expect(refused.stderr).toContain(`Go on with ${version}, or choose another --out`)
    expect(await runMain('status', dir)).toMatchObject({ code: 0 })
  })
})
