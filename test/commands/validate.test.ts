import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { exportTo, type ExportSpec } from '../helpers/exports.ts'
import { runMain } from '../helpers/main.ts'
import { makeRow, makeRun } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const ROWS = [0, 1, 2, 3].map((row) =>
  makeRow({
    row,
    caption: ' İzmir 🐕, a hot dog and a dog',
    phrases: ['a hot dog', 'a dog'],
    boxes: [
      ['a hot dog', 0.9, 0, 0, 700, 50.126],
      ['a dog', 0.8, row, 10, 60 + row, 50],
      ['a dog', 0.8, 300, 10, 301, 50],
    ],
  }),
)

async function exported(spec: ExportSpec): Promise<string> {
  const folder = await temporaryFolder()
  const to = path.join(folder, 'export')
  await exportTo(await makeRun(folder, { rows: ROWS, samplesPerShard: 2 }), to, spec)
  return to
}

const LINE = {
  filename: 'a.jpg',
  height: 48,
  width: 64,
  grounding: {
    caption: 'a dog',
    regions: [{ bbox: [9, 9, 4, 4], phrase: 'dog', tokens_positive: [[2, 5]] }],
  },
}

describe('groundmill validate', () => {
  it.each<[string, ExportSpec, readonly string[]]>([
    ['odvg for mmdet', { dialect: 'mmdet' }, ['--format=odvg']],
    ['odvg for open-groundingdino', { dialect: 'open-groundingdino' }, ['--format=odvg']],
    ['odvg for tao', { dialect: 'tao' }, ['--format=odvg']],
    ['odvg detections', { options: { variant: 'detection' } }, ['--format=odvg']],
    ['odvg shards', { options: { layout: 'sharded' } }, ['--format=odvg']],
    ['coco', { format: 'coco' }, ['--format=coco']],
    ['coco shards', { format: 'coco', options: { layout: 'sharded' } }, ['--format=coco']],
  ])('finds nothing wrong with our own export of %s', async (_name, spec, flags) => {
    const to = await exported(spec)

    const ended = await runMain('validate', to, ...flags, '--json')

    expect(ended.code).toBe(0)
    const { findings, records, dialect } = JSON.parse(ended.stdout) as Record<string, unknown>
    expect({ findings, records, dialect }).toEqual({
      findings: [],
      records: 4,
      dialect: spec.format === 'coco' ? undefined : (spec.dialect ?? 'mmdet'),
    })
  })

  it('says what one dialect is to the loader of another', async () => {
    const to = await exported({ dialect: 'mmdet' })

    const ended = await runMain('validate', to, '--format=odvg', '--dialect=open-groundingdino')

    expect(ended.code).toBe(65)
    expect(ended.stdout).toContain('error bbox_nested (4 x, silently wrong)')
    expect(ended.stdout).toContain('annotations.jsonl:1 regions[1]: 2 boxes in one region')
  })

  it('prints findings for people', async () => {
    const file = path.join(await temporaryFolder(), 'a.jsonl')
    await fs.writeFile(file, `${JSON.stringify(LINE)}\n`)

    const crash = await runMain('validate', file, '--format=odvg', '--dialect=open-groundingdino')
    const drop = await runMain('validate', file, '--format=odvg')

    expect(crash.code).toBe(65)
    expect(crash.stdout).toBe(
      `${file}: odvg for open-groundingdino, 1 file, 1 image\n` +
        'error box_reversed (1 x, crashes)\n' +
        '    the loader: fails in an assertion of the GIoU loss\n' +
        '    what to do: write [x1, y1, x2, y2], not [x, y, w, h], and drop empty boxes\n' +
        '    a.jsonl:1 regions[0]: [9,9,4,4] in 64 x 48\n' +
        'not usable: 1 error, 0 warnings\n',
    )
    expect(drop.code).toBe(0)
    expect(drop.stdout).toContain('usable: no errors, 1 warning\n')
  })

  it('counts tokens by a vocabulary, if there is one', async () => {
    const folder = await temporaryFolder()
    const [file, vocab] = [path.join(folder, 'a.jsonl'), path.join(folder, 'vocab.txt')]
    // Three pieces for each "dogs": 100 of them are above the limit.
    await fs.writeFile(vocab, '[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nd\n##og\n##s\ncat\n')
    const caption = `${'dogs '.repeat(100)}a cat`
    const regions = [{ bbox: [4, 4, 9, 9], phrase: 'a cat', tokens_positive: [[500, 505]] }]
    await fs.writeFile(file, `${JSON.stringify({ ...LINE, grounding: { caption, regions } })}\n`)

    const words = await runMain('validate', file, '--format=odvg')
    const exact = await runMain('validate', file, '--format=odvg', '--vocab', vocab)

    expect(words.code).toBe(0)
    expect(exact.code).toBe(65)
    expect(exact.stdout).toContain('text_too_long')
  })

  it.each([
    [
      'a format without a validator',
      ['--format=goldg'],
      2,
      'goldg is unknown; there are odvg, coco',
    ],
    ['an unknown format', ['--format=voc'], 2, 'unknown; there are odvg, coco'],
    ['a dialect of COCO', ['--format=coco', '--dialect=tao'], 2, 'with --format odvg only'],
    [
      'a label map of COCO',
      ['--format=coco', '--label-map=a.json'],
      2,
      '--label-map has a meaning with --format odvg only, not with coco',
    ],
    ['a vocabulary of COCO', ['--format=coco', '--vocab=a.txt'], 2, '--vocab has a meaning with'],
    [
      'a vocabulary that is not there',
      ['--format=odvg', '--vocab=no.txt'],
      2,
      '--vocab no.txt: ENOENT',
    ],
    [
      'a label map that is not there',
      ['--format=odvg', '--label-map=no.json'],
      65,
      'label map no.json',
    ],
    [
      'an export of another format',
      ['--format=coco'],
      2,
      'is an export with --format odvg, not coco',
    ],
  ])('refuses %s', async (_name, flags, code, message) => {
    const to = await exported({})

    const ended = await runMain('validate', to, ...flags)

    expect(ended).toMatchObject({ code, stdout: '' })
    expect(ended.stderr).toContain(message)
  })

  it('refuses a target that is not there or holds nothing', async () => {
    const folder = await temporaryFolder()

    const missing = await runMain('validate', path.join(folder, 'no'), '--format=odvg')
    const empty = await runMain('validate', folder, '--format=coco')

    expect(missing.code).toBe(65)
    expect(missing.stderr).toContain('ENOENT')
    expect(empty.code).toBe(65)
    expect(empty.stderr).toContain('no .json file in it or in its annotations/')
  })
})
