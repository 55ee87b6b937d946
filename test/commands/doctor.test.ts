// What the command says; what it finds is the affair of test/doctor/.

import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Check } from '../../src/doctor/check.ts'
import { runMain } from '../helpers/main.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const DUMMY = ['--set', 'teacher.model=dummy', '--set', 'teacher.provider=cpu']

describe('groundmill doctor', () => {
  it('has a line per check, and 0 if none fails', async () => {
    const { code, stdout } = await runMain('doctor', ...DUMMY)

    expect(code).toBe(0)
    const lines = stdout.trimEnd().split('\n')
    expect(lines.map((line) => line.slice(5, 15).trimEnd()).filter(Boolean)).toEqual([
      'node',
      'disk',
      'teacher',
      'dataset',
      'clock',
    ])
    // Advice is for what is not fine.
    expect(stdout).toContain('ok   dataset   none configured\n')
    expect(stdout).not.toContain('give a config')
  })

  it('has 1 if a check fails, having made the others', async () => {
    const { code, stdout } = await runMain('doctor', '--set', 'teacher.model=/nowhere')

    expect(code).toBe(1)
    expect(stdout).toMatch(/^fail teacher {3}.*\/nowhere/m)
    expect(stdout).toMatch(/^ok {3}clock/m)
  })

  it('says what to do about what is not fine', async () => {
    const rows = path.join(await temporaryFolder(), 'rows.jsonl')
    await fs.writeFile(rows, '')
    const source = [`files=${rows}`, 'columns.url=url', 'columns.caption=caption']
    const settings = source.flatMap((one) => ['--set', `source.${one}`])
    const { code, stdout } = await runMain('doctor', ...DUMMY, ...settings)

    expect(code).toBe(1)
    expect(stdout).toMatch(/^fail dataset {3}0 rows read.*\n {15}-> the source has no rows$/m)
  })

  it('gives the same as JSON', async () => {
    const { code, stdout } = await runMain('doctor', '--json', ...DUMMY)
    const { findings } = JSON.parse(stdout) as { findings: Check[] }

    expect(code).toBe(0)
    expect(stdout.trimEnd()).not.toContain('\n')
    expect(findings.find(({ check }) => check === 'dataset')).toEqual({
      check: 'dataset',
      status: 'ok',
      detail: 'none configured',
      advice: 'give a config with a source: section to have the dataset tried',
    })
  })

  it('looks for room where the run would be, and checks nothing with a wrong config', async () => {
    const { stdout } = await runMain('doctor', '--out', '/nowhere/run', ...DUMMY)
    const wrong = await runMain('doctor', '--set', 'teacher.modl=dummy')

    expect(stdout).toMatch(/ GB free in \/$/m)
    expect(wrong).toMatchObject({ code: 2, stdout: '' })
    expect(wrong.stderr).toContain('teacher.modl: unknown key; did you mean "model"?')
  })
})
