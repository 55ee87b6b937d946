// The package as a user has it: packed, and installed in an empty folder from the npm registry alone.

import { execFile } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from './helpers/groundmill.ts'

const run = promisify(execFile)
const LONG = { tags: 'long' }

describe('the packed package', LONG, () => {
  let folder: string
  let files: readonly string[]
  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(await fs.realpath('/tmp'), 'groundmill-package-'))
    const packed = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT })
    const [{ filename, files: listed }] = JSON.parse(packed.stdout) as [
      { filename: string; files: { path: string }[] },
    ]
    files = listed.map((file) => file.path)
    await fs.writeFile(path.join(folder, 'package.json'), '{ "private": true, "type": "module" }')
    // No script of a dependency is needed, and ONNX Runtime's would download GPU libraries.
    await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', `./${filename}`], {
      cwd: folder,
    })
    return () => fs.rm(folder, { recursive: true })
  })
  const inFolder = (program: string, ...argv: string[]) => run(program, argv, { cwd: folder })
  const installed = (...parts: string[]) =>
    path.join(folder, 'node_modules', 'groundmill', ...parts)

  it('has what it runs with, and nothing of the workshop', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'bin/groundmill.mjs',
        'dist/index.d.ts',
        'dist/index.js',
        'dist/main.js',
        'examples/label.mjs',
        'configs/demo.yaml',
        'teachers/glip-nano/model.onnx',
      ]),
    )
    expect(files.filter((file) => /^(src|test|models|scripts|node_modules)\//.test(file))).toEqual(
      [],
    )
  })

  it('runs as a command', async () => {
    const { version } = JSON.parse(await fs.readFile(path.join(ROOT, 'package.json'), 'utf8')) as {
      version: string
    }

    expect((await inFolder('npx', 'groundmill', '--version')).stdout).toBe(`${version}\n`)
    const { stdout } = await inFolder('npx', 'groundmill', 'teacher', 'list', '--json')
    expect(stdout).toContain('glip-nano')
  })

  it('is imported with its types', async () => {
    const program = `
import { openGrounder, parseConfig, VERSION, type GroundedPicture } from 'groundmill'
import manifest from 'groundmill/package.json' with { type: 'json' }
const grounder = await openGrounder(parseConfig({}))
const image = ${JSON.stringify(installed('sample/images/00001.jpg'))}
const caption = 'Wallpaper with a yellow tent'
const { phrases, candidates }: GroundedPicture = await grounder.ground({ image, caption })
console.log(VERSION === manifest.version, phrases[candidates[0]!.phrase]!.text)
// @ts-expect-error a number is no picture
void (() => grounder.ground({ image: 3, caption }))
await grounder.close()
`
    await fs.writeFile(path.join(folder, 'use.ts'), program)
    const options = ['--module', 'nodenext', '--target', 'es2023', '--strict']
    const types = ['--resolveJsonModule', '--types', 'node', '--typeRoots']
    const typeRoots = path.join(ROOT, 'node_modules/@types')
    const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc')

    await inFolder(process.execPath, tsc, ...options, ...types, typeRoots, 'use.ts')
    const { stdout } = await inFolder(process.execPath, 'use.js')

    expect(stdout).toBe('true a yellow tent\n')
  })

  it('has examples that run', async () => {
    const examples = path.join(folder, 'examples')
    await fs.cp(installed('examples'), examples, { recursive: true })
    await fs.cp(path.join(ROOT, 'test/fixtures'), path.join(folder, 'test/fixtures'), {
      recursive: true,
    })
    const config = 'test/fixtures/runs/0.1.0/config.yaml'

    const labelled = await inFolder(process.execPath, 'examples/label.mjs', config, 'label-run')
    const counted = await inFolder(
      process.execPath,
      'examples/phrases-by-score.mjs',
      'label-run',
      '0.3',
    )
    const grounded = await inFolder(
      process.execPath,
      'examples/ground-picture.mjs',
      installed('sample/images/00001.jpg'),
      'Wallpaper with a yellow tent',
    )

    expect(labelled.stdout).toMatch(
      /^10 groundings, 2 rejects\n {2}1 x caption_empty\n {2}1 x file_missing\n\d+ boxes on 7 images in label-run/,
    )
    expect(counted.stdout).toMatch(/^\d+ of 534 boxes at a score of 0\.3 and above\n +\d+ {2}/)
    expect(grounded.stdout).toMatch(/240 x 192 px\n0\.778 {2}a yellow tent {2}\[163\.1, 32\.7,/)
  })
})
