import fs from 'node:fs/promises'
import path from 'node:path'
import YAML from 'yaml'
import { describe, expect, it } from 'vitest'
import { groundmill } from '../helpers/groundmill.ts'
import { runMain } from '../helpers/main.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { makeToyDataset } from '../helpers/toy-dataset.ts'

describe('groundmill run --dry-run', () => {
  it('prints the resolved config and the plan, and writes nothing', async () => {
    const folder = await temporaryFolder()
    const { config } = await makeToyDataset(path.join(folder, 'data'), { rows: 20 })
    const run = path.join(folder, 'run')

    const { code, stdout } = await runMain(
      'run',
      config,
      `--out=${run}`,
      '--dry-run',
      '--limit=15',
      '--workers=3',
      '--set=run.samplesPerShard=6',
    )

    expect(code).toBe(0)
    expect(stdout).toMatch(/# rows +15\n# shards +3 of 6 rows, the last of 3\n/)
    const resolved = YAML.parse(stdout) as Record<string, Record<string, unknown>>
    expect(resolved['run']).toMatchObject({ limit: 15, shardsInFlight: 3, imagesAhead: 16 })
    await expect(fs.access(run)).rejects.toThrow('ENOENT')
  })

  it('prints every shard as JSON', async () => {
    const folder = await temporaryFolder()
    const { config } = await makeToyDataset(folder, { rows: 20 })

    const { stdout } = await runMain(
      'run',
      config,
      '--dry-run',
      '--json',
      '--set=run.samplesPerShard=8',
    )

    expect(JSON.parse(stdout)).toMatchObject({
      isBegun: false,
      teacher: { id: 'toy' },
      plan: {
        rows: 20,
        shards: [
          { id: 0, start: 0, end: 8 },
          { id: 1, start: 8, end: 16 },
          { id: 2, start: 16, end: 20 },
        ],
      },
    })
  })
})

describe('groundmill run', () => {
  it('exits 75 where the source cannot be reached just now', async () => {
    const { code, stderr } = await runMain(
      'run',
      'configs/demo.yaml',
      '--set=source.files=http://127.0.0.1:1/a.jsonl',
      '--set=fetch={ allowAddresses: [127.0.0.1/32], ports: any, retryBaseMs: 1 }',
      `--out=${await temporaryFolder()}`,
    )

    expect(stderr).toMatch(/^groundmill: cannot read http:.*a\.jsonl: ECONNREFUSED/)
    expect(code).toBe(75)
  })

  it.each([
    [['--limit=0'], 'whole number from 1'],
    [['--workers=few'], 'whole number from 1'],
    [['--log=loud'], 'Allowed choices are auto, bar, json'],
    [['--set=run.shards=4'], 'run.shards: unknown key'],
    [['--set=source.files=gone.tsv'], 'gone.tsv'],
    [['--set=teacher.model=gone'], 'gone'],
    [['--sat=1'], "unknown option '--sat=1'"],
  ])('refuses %j with exit code 2, before any work', async (flags, message) => {
    const folder = await temporaryFolder()
    const { config } = await makeToyDataset(path.join(folder, 'data'), { rows: 2 })
    const run = path.join(folder, 'run')

    const { code, stdout, stderr } = await runMain('run', config, `--out=${run}`, ...flags)

    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    await expect(fs.access(run)).rejects.toThrow('ENOENT')
  })

  it('refuses a config without a source, and a source without rows', async () => {
    const folder = await temporaryFolder()
    await fs.writeFile(path.join(folder, 'no-source.yaml'), 'run: { limit: 3 }')
    await fs.writeFile(path.join(folder, 'none.tsv'), 'url\tcaption\n')
    await fs.writeFile(path.join(folder, 'none.yaml'), `source: { files: ${folder}/none.tsv }`)
    const dryRun = (name: string) => runMain('run', path.join(folder, name), '--dry-run')

    expect(await dryRun('no-source.yaml')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('name the dataset') as string,
    })
    expect(await dryRun('none.yaml')).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('no rows') as string,
    })
  })

  it('ends, without a run to repair, when the teacher refuses its options', async () => {
    const folder = await temporaryFolder()
    const { config } = await makeToyDataset(path.join(folder, 'data'), { rows: 2 })
    const run = path.join(folder, 'run')

    const { code, stderr } = await groundmill(
      'run',
      config,
      `--out=${run}`,
      '--set=teacher.shortSide=200',
      '--set=teacher.longSide=100',
    )

    expect(code).toBe(2)
    expect(stderr).toContain('teacher.shortSide: 200 px is above the long side of 100 px')
    await expect(fs.access(path.join(run, 'run.json'))).rejects.toThrow('ENOENT')
  })
})

describe('groundmill', () => {
  it('knows no other commands, and says which one may be meant', async () => {
    const { code, stderr } = await runMain('stats', 'some-folder')

    expect(code).toBe(2)
    expect(stderr).toMatch(/^error: unknown command 'stats'\n\(Did you mean status\?\)/)
  })

  it('shows help with an example for every command', async () => {
    const { stdout } = await runMain('--help')
    const names = [...stdout.matchAll(/^ {2}([a-z-]+) .*$/gm)].map((match) => match[1]!)
    expect(names).toEqual(expect.arrayContaining(['run', 'status', 'export']))

    for (const name of names.filter((name) => name !== 'help')) {
      const help = await runMain(name, '--help')
      expect(help.code).toBe(0)
      expect(help.stdout).toMatch(/Examples?:\n +.*groundmill/)
    }
  })
})
