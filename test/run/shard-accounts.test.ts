import { describe, expect, it } from 'vitest'
import { SampleError, ShardError } from '../../src/core/errors.ts'
import type { KeptRows } from '../../src/run/kept-rows.ts'
import { keyOf, ShardAccounts } from '../../src/run/shard-accounts.ts'
import { shardOf } from '../helpers/fake-tools.ts'
import { makeRow } from '../helpers/runs.ts'

const digestUrl = (url: string) => `digest of ${url}`

function makeAccounts(rows: number, kept?: KeptRows) {
  let ended = 0
  const accounts = new ShardAccounts(shardOf(4, 10, 10 + rows), kept, () => ended++)
  return { accounts, ended: () => ended }
}

describe('keyOf', () => {
  it('numbers the rows of a shard from 0', () => {
    expect(keyOf(shardOf(4, 10, 20), 12)).toBe('0000400002')
    expect(keyOf(shardOf(123_456, 10, 20), 10)).toBe('12345600000')
  })
})

describe('ShardAccounts', () => {
  it('adds up what became of the rows, in row order', () => {
    const { accounts, ended } = makeAccounts(4)
    const row = makeRow({ row: 12, boxes: [['a brown dog', 0.5, 1, 2, 3, 4]] })

    accounts.reject({ row: 13, code: 'caption_empty', detail: 'nothing' })
    accounts.rejectError(
      { row: 11, url: 'http://a' },
      new SampleError('http_5xx', 'HTTP 503', { attempts: 2 }),
    )
    accounts.ground(row, 2)
    accounts.rejectError({ row: 10, url: null }, new SampleError('decode_error', 'cut'))

    expect(ended()).toBe(4)
    expect(accounts.close(digestUrl)).toEqual({
      rows: [row],
      rejects: [
        { key: '0000400000', row: 10, stage: 'image', code: 'decode_error', detail: 'cut' },
        {
          key: '0000400001',
          row: 11,
          stage: 'fetch',
          code: 'http_5xx',
          detail: 'HTTP 503',
          url: 'http://a',
          attempts: 2,
        },
        { key: '0000400003', row: 13, stage: 'caption', code: 'caption_empty', detail: 'nothing' },
      ],
      counts: { groundings: 1, rejects: 3, phrases: 1, candidates: 1, droppedPhrases: 2 },
      reasons: { caption_empty: 1, decode_error: 1, http_5xx: 1 },
    })
  })

  it('hides a sealed URL wherever the shard has it', () => {
    const { accounts } = makeAccounts(3)
    const context = { time: '2026-01-01T00:00:00.000Z', urlDigest: digestUrl('http://a') }
    accounts.rejectError(
      { row: 10, url: 'http://a' },
      new SampleError('blocklist_hash', 'list x', { ...context, host: 'a', httpStatus: 200 }),
    )
    accounts.reject({
      row: 11,
      code: 'caption_empty',
      detail: 'nothing',
      url: 'http://a',
      host: 'a',
    })
    accounts.reject({
      row: 12,
      code: 'caption_empty',
      detail: 'nothing',
      url: 'http://b',
      host: 'b',
    })

    const { rejects } = accounts.close(digestUrl)

    const facts = rejects.map(({ url, host, time, urlDigest }) => [url, host, time, urlDigest])
    expect(facts).toEqual([
      [undefined, undefined, context.time, context.urlDigest],
      [undefined, undefined, undefined, context.urlDigest],
      ['http://b', 'b', undefined, undefined],
    ])
  })

  it('does not close with a row that is lost', () => {
    const { accounts } = makeAccounts(2)
    accounts.reject({ row: 10, code: 'caption_empty', detail: 'nothing' })

    expect(() => accounts.close(digestUrl)).toThrow(ShardError)
    expect(() => accounts.close(digestUrl)).toThrow(/row 11 is lost/)
  })

  describe('with rows of the version before', () => {
    const kept: KeptRows = {
      rows: [makeRow({ row: 10 }), makeRow({ row: 12 })],
      rejects: [{ key: '', row: 13, stage: 'fetch', code: 'http_4xx', detail: '' }],
      retried: new Map([[11, 'http_5xx']]),
      droppedPhrases: 3,
      images: () => {
        throw new Error('not asked')
      },
    }

    it('has changed when a row has another fate', () => {
      const [same, other, better] = [1, 2, 3].map(() => makeAccounts(4, kept).accounts)
      same!.reject({ row: 11, code: 'http_5xx', detail: 'again' })
      other!.reject({ row: 11, code: 'deadline', detail: 'slow now' })
      better!.ground(makeRow({ row: 11 }), 0)

      expect([same, other, better].map((accounts) => accounts!.hasChanged())).toEqual([
        false,
        true,
        true,
      ])
      expect(makeAccounts(0).accounts.hasChanged()).toBe(true)
    })

    it('takes them over', () => {
      const { accounts } = makeAccounts(4, kept)
      accounts.ground(makeRow({ row: 11 }), 1)

      const { rows, rejects, counts } = accounts.close(digestUrl)

      expect(rows.map(({ row }) => row)).toEqual([10, 11, 12])
      expect(rejects.map(({ row }) => row)).toEqual([13])
      expect(counts).toMatchObject({ groundings: 3, rejects: 1, droppedPhrases: 4 })
    })
  })
})
