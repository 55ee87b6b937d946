import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ConfigError, InputError } from '../../src/core/errors.ts'
import { addModel } from '../../src/teacher/add-model.ts'
import { findModel } from '../../src/teacher/find-model.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { toyCopy } from './toy.ts'

let models: string

beforeEach(async () => {
  const data = await temporaryFolder()
  vi.stubEnv('XDG_DATA_HOME', data)
  models = join(data, 'groundmill', 'teachers')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

describe('addModel', () => {
  it('copies the files that teacher.json lists and nothing else, under the id', async () => {
    const from = await toyCopy()
    await writeFile(join(from, 'notes.txt'), 'not listed')

    const added = await addModel(from, undefined)

    expect(added).toEqual({ name: 'toy', path: join(models, 'toy') })
    expect((await readdir(added.path)).sort()).toEqual(['model.onnx', 'teacher.json', 'vocab.txt'])
    for (const file of await readdir(added.path)) {
      const [copy, original] = await Promise.all([
        readFile(join(added.path, file)),
        readFile(join(from, file)),
      ])
      expect(copy.equals(original)).toBe(true)
    }
    expect(await findModel('toy')).toBe(added.path)
  })

  it('adds a model without a graph under another name', async () => {
    const added = await addModel(await findModel('dummy'), 'rule_1.v-2')

    expect(await readdir(added.path)).toEqual(['teacher.json'])
    expect(await readdir(models)).toEqual(['rule_1.v-2'])
  })

  it('says where a name is taken', async () => {
    const dummy = await findModel('dummy')
    await addModel(dummy, 'mine')

    await expect(addModel(dummy, 'mine')).rejects.toThrow(
      new ConfigError(
        `--id: mine is taken by ${join(models, 'mine')} (added); give another, or remove that folder`,
      ),
    )
  })

  it('replaces no folder that is no model, and no file', async () => {
    await mkdir(join(models, 'folder'), { recursive: true })
    await writeFile(join(models, 'folder', 'thesis.txt'), '')
    await writeFile(join(models, 'file'), '')
    const dummy = await findModel('dummy')

    for (const name of ['folder', 'file']) {
      await expect(addModel(dummy, name)).rejects.toThrow(
        new ConfigError(`${join(models, name)} is there already; give another name with --id`),
      )
    }

    expect(await readdir(models)).toEqual(['file', 'folder'])
    expect(await readdir(join(models, 'folder'))).toEqual(['thesis.txt'])
  })

  it('refuses a raw export', async () => {
    const from = await toyCopy((json) => (json['raw'] = true))

    await expect(addModel(from, undefined)).rejects.toThrow(
      new ConfigError(
        `teacher.model: ${from} is a raw export, for parity tests; convert it again without --raw`,
      ),
    )
  })

  it('refuses a damaged folder before anything is copied', async () => {
    const from = await toyCopy()
    await writeFile(join(from, 'vocab.txt'), 'a\n')

    await expect(addModel(from, undefined)).rejects.toThrow(
      new InputError(
        `${join(from, 'vocab.txt')} has 2 bytes, teacher.json says 77; copy the model folder again`,
      ),
    )
    await expect(readdir(models)).rejects.toThrow('ENOENT')
  })
})
