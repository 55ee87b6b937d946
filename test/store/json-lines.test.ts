import { describe, expect, it } from 'vitest'
import { InputError } from '../../src/core/errors.ts'
import { readJsonLines } from '../../src/store/json-lines.ts'
import { createMemory, createMemoryStore } from '../helpers/memory-store.ts'

async function read(text?: string): Promise<number[]> {
  const store = createMemoryStore(createMemory(''))
  if (text !== undefined) await store.publish('numbers', text)
  const parse = (value: unknown) => {
    if (typeof value !== 'number') throw new TypeError('expected a number')
    return value
  }
  const numbers: number[] = []
  const lines = { name: 'numbers', what: 'number', parse }
  for await (const number of readJsonLines(store, lines)) numbers.push(number)
  return numbers
}

describe('readJsonLines', () => {
  it.each([
    ['', []],
    ['1\n2\n', [1, 2]],
    ['1\r\n\n2', [1, 2]],
  ])('reads %j', async (text, numbers) => {
    expect(await read(text)).toEqual(numbers)
  })

  it.each([
    ['1\n"two"\n', /numbers, line 2: not a number: expected a number/],
    ['1\n[\n', /numbers, line 2: not a number/],
    [undefined, /numbers cannot be read: it is not there/],
  ])('names what is wrong with %j', async (text, message) => {
    await expect(read(text)).rejects.toThrow(InputError)
    await expect(read(text)).rejects.toThrow(message)
  })
})
