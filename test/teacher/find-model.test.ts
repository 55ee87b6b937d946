import { mkdir, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ConfigError } from '../../src/core/errors.ts'
import { addedModelsFolder, findModel, listModels } from '../../src/teacher/find-model.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'
import { hubFolder, TOY } from './toy.ts'

const BUNDLED = resolve('teachers')
const bundled = (name: string) => ({ name, path: join(BUNDLED, name), origin: 'bundled' })
const added = (name: string) => ({ name, path: join(models, name), origin: 'added' })

let models: string

beforeEach(async () => {
  const data = await temporaryFolder()
  vi.stubEnv('XDG_DATA_HOME', data)
  models = join(data, 'groundmill', 'teachers')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

/** What is looked for is the file, not what it says. */
async function addFolder(name: string): Promise<void> {
  await mkdir(join(models, name), { recursive: true })
  await writeFile(join(models, name, 'teacher.json'), '')
}

describe('addedModelsFolder', () => {
  it('is under XDG_DATA_HOME', () => {
    expect(addedModelsFolder()).toBe(models)
  })

  it.each([undefined, ''])('is in the home folder when that is %j', (data) => {
    vi.stubEnv('XDG_DATA_HOME', data)

    expect(addedModelsFolder()).toBe(join(homedir(), '.local/share/groundmill/teachers'))
  })
})

describe('listModels', () => {
  it('lists the bundled ones when none were added', async () => {
    expect(await listModels()).toEqual([bundled('dummy'), bundled('glip-nano')])
  })

  it('sorts by name; an added one hides a bundled one', async () => {
    await addFolder('ears')
    await addFolder('dummy')

    expect(await listModels()).toEqual([added('dummy'), added('ears'), bundled('glip-nano')])
  })

  it('leaves out what has no teacher.json', async () => {
    await mkdir(join(models, 'empty', 'teacher.json'), { recursive: true })
    await mkdir(join(models, '.half.17', 'half'), { recursive: true })
    await writeFile(join(models, '.half.17', 'half', 'teacher.json'), '')
    await writeFile(join(models, 'README'), '')

    expect(await listModels()).toEqual([bundled('dummy'), bundled('glip-nano')])
  })
})

describe('findModel', () => {
  it('gives the absolute path of a folder', async () => {
    expect(await findModel(relative('.', TOY))).toBe(TOY)
  })

  it('gives the folder of a known name', async () => {
    await addFolder('glip-nano')

    expect(await findModel('dummy')).toBe(join(BUNDLED, 'dummy'))
    expect(await findModel('glip-nano')).toBe(join(models, 'glip-nano'))
  })

  it('takes a folder in the layout of a model hub, whatever it holds', async () => {
    const path = await hubFolder({ model_type: 'owlv2' })

    expect(await findModel(path)).toBe(path)
  })

  it('refuses anything else and names the known ones', async () => {
    await addFolder('ears')

    await expect(findModel('glip')).rejects.toThrow(
      new ConfigError(
        'teacher.model: glip is neither a folder with a teacher.json nor a known model ' +
          '(dummy, ears, glip-nano); "groundmill teacher add" makes one known',
      ),
    )
  })
})
