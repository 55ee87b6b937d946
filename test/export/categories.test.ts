import { describe, expect, it } from 'vitest'
import { categoryPolicy, everyPhrase, orderCategories } from '../../src/export/categories.ts'

describe('categoryPolicy', () => {
  it('takes the phrase, or its head lemma where it has one', () => {
    const byPhrase = categoryPolicy({ by: 'phrase', list: [] })
    const byHead = categoryPolicy({ by: 'head', list: [] })

    expect(byPhrase('two kites', 'kite')).toBe('two kites')
    expect(byHead('two kites', 'kite')).toBe('kite')
    expect(byHead('red', '')).toBe('red')
    expect(everyPhrase('two kites', 'kite')).toBe('two kites')
  })

  it('takes names of a list as they are spelt there, the phrase before the lemma', () => {
    const policy = categoryPolicy({ by: 'list', list: ['Hot  Dog', 'dog'] })

    expect(policy('hot dog', 'dog')).toBe('Hot  Dog')
    expect(policy('a dog', 'dog')).toBe('dog')
    expect(policy('a cat', 'cat')).toBeUndefined()
  })
})

describe('orderCategories', () => {
  it('sorts by code unit, but leaves a list as it is', () => {
    const used = new Set(['kite', 'Äpfel', 'dog', 'Zebra'])

    expect(orderCategories(used, { by: 'head', list: [] })).toEqual([
      'Zebra',
      'dog',
      'kite',
      'Äpfel',
    ])
    expect(orderCategories(used, { by: 'list', list: ['yak', 'dog'] })).toEqual(['yak', 'dog'])
  })
})
