import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { EXPORT_FORMATS } from '../../src/export/formats/index.ts'
import { readJson } from '../helpers/exports.ts'
import { runMain } from '../helpers/main.ts'
import { makeRow, makeRun } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

async function newRun(plannedShards = 1) {
  const folder = await temporaryFolder()
  const rows = [0.9, 0.6, 0.3].map((score, row) =>
    makeRow({ row, boxes: [['a brown dog', score, 0, 0, 50, 50]] }),
  )
  return {
    folder,
    to: path.join(folder, 'to'),
    run: await makeRun(folder, { rows, plannedShards }),
  }
}

const QUIET = '--set=export.images=none'

describe('groundmill export', () => {
  it('prints one line of totals and the drops', async () => {
    const { run, to } = await newRun()

    const ended = await runMain('export', run, '--format', 'coco', '--to', to, QUIET)

    expect(ended).toEqual({
      code: 0,
      stdout:
        `${to}: 2 of 3 images, 2 regions of 3 candidates, 2 phrases, 1 categories\n` +
        '         1  images dropped: too_few_boxes\n' +
        '         1  boxes dropped: score\n',
      stderr: '',
    })
  })

  it('prints JSON, and a note about shards that are missing on stderr', async () => {
    const { run, to } = await newRun(3)

    const ended = await runMain('export', run, '--format', 'odvg', '--to', to, '--json', QUIET)

    expect(ended.code).toBe(0)
    expect(JSON.parse(ended.stdout)).toMatchObject({
      to,
      counts: { samples: 2, regions: 2 },
      shards: { committed: 1, planned: 3 },
      files: { 'annotations.jsonl': {} },
    })
    expect(ended.stderr).toContain('the run is not complete: exported 1 of 3 shards')
  })

  it('takes a recipe, --set over it, and --min-score over both', async () => {
    const { folder, run, to } = await newRun()
    const config = path.join(folder, 'recipe.yaml')
    await fs.writeFile(config, 'filter: { score: 0.1, minPhrases: 1 }\nexport: { images: none }\n')
    const minScore = async (...more: string[]) => {
      const ended = await runMain(
        ...['export', run, '--format', 'odvg', '--to', to, '--overwrite', '--config', config],
        ...more,
      )
      expect(ended.code).toBe(0)
      return (await readJson(to, 'export.json'))['minScore']
    }

    expect(await minScore()).toBe(0.1)
    expect(await minScore('--set=filter.score=0.2')).toBe(0.2)
    expect(await minScore('--set=filter.score=0.2', '--min-score=0.7')).toBe(0.7)
  })

  it.each([
    [
      'an unknown format',
      ['--format=voc'],
      2,
      '--format voc is unknown; there are odvg, coco, goldg, jsonl',
    ],
    ['a dialect of COCO', ['--format=coco', '--dialect=tao'], 2, 'with --format odvg only'],
    [
      "another format's option",
      ['--format=coco', '--set=export.variant=detection'],
      2,
      'export.variant is an option of --format odvg, not of coco',
    ],
    [
      "another format's option among others",
      ['--format=jsonl', '--set=export={ layout: sharded, variant: grounding }'],
      2,
      'export.variant is an option of --format odvg, not of jsonl',
    ],
    [
      'an option of none',
      ['--format=odvg', '--set=export.variants=1'],
      2,
      'did you mean "variant"?',
    ],
    [
      'a value that the option of another format cannot have',
      ['--format=coco', '--set=export.variant=boxes'],
      2,
      'export.variant',
    ],
    ['an unknown key', ['--format=odvg', '--set=filter.scores=1'], 2, 'did you mean "score"?'],
    ['a score that is none', ['--format=odvg', '--min-score=high'], 2, 'filter.score'],
    ['a score above 1', ['--format=odvg', '--min-score=1.5'], 2, 'filter.score'],
    ['a list without names', ['--format=coco', '--set=export.categories.by=list'], 2, 'give names'],
    ['no samples', ['--format=odvg', '--min-score=0.99'], 65, 'no sample'],
  ])('refuses %s', async (_name, flags, code, message) => {
    const { run, to } = await newRun()

    const ended = await runMain('export', run, '--to', to, QUIET, ...flags)

    expect(ended.code).toBe(code)
    expect(ended.stderr).toContain(message)
    await expect(fs.access(to)).rejects.toThrow('ENOENT')
  })

  it('passes over options of other formats in a recipe, which is made for several', async () => {
    const { folder, run, to } = await newRun()
    const config = path.join(folder, 'recipe.yaml')
    await fs.writeFile(config, 'export: { images: none, variant: detection }\n')
    const exported = (format: string, ...more: string[]) =>
      runMain(
        'export',
        run,
        '--to',
        to,
        '--overwrite',
        '--config',
        config,
        '--format',
        format,
        ...more,
      )

    expect(await exported('coco')).toMatchObject({ code: 0, stderr: '' })
    expect(await fs.readdir(to)).not.toContain('label_map.json')
    expect(await exported('odvg')).toMatchObject({ code: 0 })
    expect(await fs.readdir(to)).toContain('label_map.json')
    expect(await exported('odvg', '--set=export.variant=grounding')).toMatchObject({ code: 0 })
    expect(await fs.readdir(to)).not.toContain('label_map.json')
  })

  it('lists the formats with what they are', async () => {
    const { stdout } = await runMain('export', '--help')

    for (const { name, description } of EXPORT_FORMATS) {
      expect(stdout).toContain(`  ${name.padEnd(12)} ${description}\n`)
    }
    expect(stdout).toContain('loader of odvg files; default: mmdet')
  })

  it('refuses a folder that is no run', async () => {
    const { folder, to } = await newRun()

    const ended = await runMain('export', folder, '--format', 'odvg', '--to', to)

    expect(ended).toMatchObject({ code: 65, stdout: '' })
    expect(ended.stderr).toContain('it is not the folder of a groundmill run')
  })
})
