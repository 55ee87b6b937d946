import { describe, expect, it } from 'vitest'
import {
  describeFormats,
  dialectOption,
  foreignOption,
  formatNamed,
} from '../../src/commands/format-options.ts'

const FORMATS = [
  { name: 'toy', description: 'toys', dialects: ['small', 'large'] },
  { name: 'plain', description: 'plain files', dialects: [] },
  { name: 'odd', description: 'odd files', dialects: ['round', 'large'] },
]
const [toy, plain, odd] = FORMATS as [(typeof FORMATS)[0], (typeof FORMATS)[0], (typeof FORMATS)[0]]

describe('formatNamed', () => {
  it('finds a format, or lists those there are', () => {
    expect(formatNamed({ format: 'odd' }, FORMATS)).toBe(odd)
    expect(() => formatNamed({ format: 'grit' }, FORMATS)).toThrow(
      '--format grit is unknown; there are toy, plain, odd',
    )
  })

  it('takes the dialects of the format, and none', () => {
    const find = (format: string, dialect?: string) => formatNamed({ format, dialect }, FORMATS)

    expect(find('odd', 'large')).toBe(odd)
    expect(find('plain')).toBe(plain)
    expect(() => find('plain', 'large')).toThrow(
      '--dialect has a meaning with --format toy, odd only, not with plain',
    )
    expect(() => find('toy', 'round')).toThrow('--dialect round is of --format odd, not of toy')
  })
})

describe('dialectOption', () => {
  it('offers the dialects of all formats', () => {
    const { argChoices, description } = dialectOption(FORMATS, 'that of the folder, else ')

    expect(argChoices).toEqual(['small', 'large', 'round'])
    expect(description).toBe(
      'loader of toy, odd files; default: that of the folder, else small, round',
    )
  })
})

describe('messages', () => {
  it('name formats with what they are', () => {
    expect(describeFormats(FORMATS.slice(0, 1))).toBe('\nFormats:\n  toy          toys\n')
    expect(foreignOption('vocab', plain, [toy]).message).toBe(
      '--vocab has a meaning with --format toy only, not with plain',
    )
  })
})
