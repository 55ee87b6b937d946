import { describe, expect, it } from 'vitest'
import { parseRobots } from '../../../src/ingest/fetch/robots.ts'

const wanted = { contentUsage: ['train-ai'], contentSignal: ['ai-train'] }
const lines = (...text: string[]) => parseRobots(text.join('\n'))

describe('parseRobots', () => {
  it('lets the longest rule win and Allow a tie', () => {
    const robots = lines(
      'User-agent: *',
      'Disallow: /a',
      'Allow: /a/b',
      'Disallow: /c',
      'Allow: /c',
    )

    expect(robots.isAllowed('/a/x')).toBe(false)
    expect(robots.isAllowed('/a/b/x')).toBe(true)
    expect(robots.isAllowed('/c')).toBe(true)
    expect(robots.isAllowed('/z')).toBe(true)
  })
  it('takes our own group, merged, in place of "*"', () => {
    const robots = lines(
      'user-agent: *',
      'disallow: /',
      'User-Agent: GroundMill/2.0',
      'Disallow: /private',
      'User-agent: other',
      'User-agent: GROUNDMILL',
      'Disallow: /tmp # comment',
    )

    expect(robots.isAllowed('/x')).toBe(true)
    expect(robots.isAllowed('/private')).toBe(false)
    expect(robots.isAllowed('/tmp/x')).toBe(false)
  })
  it('does not take a longer or shorter name for ours', () => {
    const robots = lines('User-agent: groundmillx', 'User-agent: ground', 'Disallow: /')

    expect(robots.isAllowed('/')).toBe(true)
  })
  it('ignores rules before any group, empty rules, unknown lines and odd line ends', () => {
    const robots = lines(
      '\ufeffDisallow: /',
      'User-agent: *\rDisallow:\r\nSitemap: /s\nnonsense\n: x',
    )

    expect(robots.isAllowed('/x')).toBe(true)
  })
  it('keeps a group open over lines that are no rules', () => {
    const robots = lines(
      'User-agent: groundmill',
      'Crawl-delay: 1',
      'User-agent: b',
      'Disallow: /x',
    )

    expect(robots.isAllowed('/x')).toBe(false)
  })
  it('allows everything for an HTML page served as robots.txt', () => {
    expect(lines('<html><body>User-agent * Disallow / </body>').isAllowed('/x')).toBe(true)
  })
  it('reads Content-Signal and Content-Usage, general or by path', () => {
    const robots = lines(
      'User-agent: *',
      'Content-Signal: search=yes, ai-train=no',
      'Content-Usage: /open/ train-ai=y',
      'Content-Usage: train-ai=n',
      'Allow: /',
    )

    expect(robots.refusal('/x', wanted)).toBe('content-usage: train-ai=n')
    expect(robots.refusal('/open/x', wanted)).toBe('content-signal: ai-train=no')
    expect(robots.refusal('/open/x', { ...wanted, contentSignal: [] })).toBeUndefined()
    expect(robots.isAllowed('/x')).toBe(true)
  })
  it('reads no refusal out of other signals', () => {
    const robots = lines('User-agent: *', 'Content-Signal: search=no, ai-input=no, ai-train=yes')

    expect(robots.refusal('/x', wanted)).toBeUndefined()
  })
})
