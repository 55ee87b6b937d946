import { describe, expect, it } from 'vitest'
import { hostGroup, userAgent } from '../../../src/ingest/fetch/fetcher.ts'
import { VERSION } from '../../../src/version.ts'

describe('hostGroup', () => {
  it('is the registrable domain, so that one owner has one limit', () => {
    expect(hostGroup('farm1.static.flickr.com')).toBe('flickr.com')
    expect(hostGroup('img.example.co.uk')).toBe('example.co.uk')
    expect(hostGroup('d1.cloudfront.net')).toBe('d1.cloudfront.net')
    expect(hostGroup('93.184.215.14')).toBe('93.184.215.14')
    expect(hostGroup('[2606:4700::1]')).toBe('[2606:4700::1]')
    expect(hostGroup('localhost')).toBe('localhost')
  })
})

describe('userAgent', () => {
  it('says who we are and whom to ask', () => {
    expect(userAgent('https://example.org')).toMatch(
      /^groundmill\/\d+\.\d+\.\d+ \(\+https:\/\/example\.org\)$/,
    )
    expect(userAgent(undefined)).toMatch(/^groundmill\/[\d.]+$/)
  })
  it('has the version of this package', () => {
    expect(userAgent(undefined)).toBe(`groundmill/${VERSION}`)
  })
})
