import { describe, expect, it } from 'vitest'
import { headerRefusal, seenDirectives } from '../../../src/ingest/fetch/opt-out.ts'
import { fetchOptionsSchema } from '../../../src/ingest/fetch/options.ts'

const rules = fetchOptionsSchema.parse({}).optOut
const refusal = (headers: Record<string, string | string[]>) => headerRefusal(headers, rules)

describe('headerRefusal', () => {
  it.each([
    ['noai'],
    ['noimageai'],
    ['noindex'],
    ['noimageindex'],
    ['noml'],
    ['none'],
    ['NoAI'],
    ['max-image-preview:large, noai'],
    ['noai, max-image-preview:large'],
    ['unavailable_after: 25 Jun 2010 15:00:00 PST, noai'],
    ['unavailable_after: Saturday, 23-Nov-30 15:00:00 GMT, noai'],
    ['groundmill: noai'],
    ['GroundMill : noai'],
    ['*: noai'],
    ['otherbot: all, groundmill: noai'],
    ['max-snippet: 5, nofollow, noml'],
  ])('refuses x-robots-tag: %s', (value) => {
    expect(refusal({ 'x-robots-tag': value })).toMatch(/^x-robots-tag: no/)
  })
  it.each([
    ['all'],
    ['nofollow, noarchive'],
    ['otherbot: noai'],
    ['otherbot: nofollow, noai'],
    ['max-image-preview:none'],
    ['unavailable_after: 1 Jan 2000 00:00:00 GMT'],
    [''],
    [',,,'],
  ])('lets x-robots-tag: %s pass', (value) => {
    expect(refusal({ 'x-robots-tag': value })).toBeUndefined()
  })
  it('judges every line of a repeated header on its own', () => {
    expect(refusal({ 'x-robots-tag': ['otherbot: noindex', 'noai'] })).toBe('x-robots-tag: noai')
    expect(refusal({ 'x-robots-tag': ['otherbot: noindex', 'nofollow'] })).toBeUndefined()
  })
  it('honours tdm-reservation and content-usage', () => {
    expect(refusal({ 'tdm-reservation': ' 1 ' })).toBe('tdm-reservation: 1')
    expect(refusal({ 'tdm-reservation': '0' })).toBeUndefined()
    expect(refusal({ 'tdm-reservation': '10' })).toBeUndefined()
    expect(refusal({ 'content-usage': 'search=y, train-ai=n' })).toBe('content-usage: train-ai=n')
    expect(refusal({ 'content-usage': ['train-ai=n', 'train-ai=y'] })).toBeUndefined()
    expect(refusal({ 'content-usage': 'train-ai=y;note="train-ai=n"' })).toBeUndefined()
  })
  it('honours only what is switched on', () => {
    const off = { xRobotsTag: [], tdmReservation: false, contentUsage: [] }
    const headers = {
      'x-robots-tag': 'noai',
      'tdm-reservation': '1',
      'content-usage': 'train-ai=n',
    }

    expect(headerRefusal(headers, off)).toBeUndefined()
    expect(seenDirectives(headers)).toHaveLength(3)
  })
})
