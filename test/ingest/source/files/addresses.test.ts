import { describe, expect, it } from 'vitest'
import {
  bareName,
  folderOf,
  isRemote,
  isS3Folder,
  parseS3,
  shortPath,
} from '../../../../src/ingest/source/files/addresses.ts'

describe('addresses', () => {
  it.each([
    ['https://a.example/x', true],
    ['S3://bucket/x', true],
    ['/data/x', false],
    ['c:/x', false],
    ['http:x', false],
  ])('%s is remote: %s', (path, expected) => {
    expect(isRemote(path)).toBe(expected)
  })

  it('has a bare name without query, but for objects, in whose keys ? and # are characters', () => {
    expect(bareName('https://a.example/X.CSV?a=.tar#b')).toBe('https://a.example/x.csv')
    expect(bareName('s3://bucket/X.csv?a')).toBe('s3://bucket/x.csv?a')
    expect(bareName('/data/What?.CSV')).toBe('/data/what?.csv')
  })

  it('lies in a folder', () => {
    expect(folderOf('/data/set/a.csv')).toBe('/data/set')
    expect(folderOf('https://a.example/set/a.csv?x=/y')).toBe('https://a.example/set/')
    expect(folderOf('s3://bucket/set/a.csv')).toBe('s3://bucket/set/')
  })

  it('keeps the end of a long path', () => {
    expect(shortPath('x'.repeat(80))).toBe('x'.repeat(80))
    expect(shortPath(`${'x'.repeat(80)}.csv`)).toBe(`…${'x'.repeat(75)}.csv`)
  })

  it.each([
    ['s3://bucket/a/b%20c', { bucket: 'bucket', key: 'a/b%20c' }],
    ['s3://my.bucket-1', { bucket: 'my.bucket-1', key: '' }],
    ['S3://bucket/a\nb', { bucket: 'bucket', key: 'a\nb' }],
  ])('%j is a bucket and a key', (address, expected) => {
    expect(parseS3(address)).toEqual(expected)
  })

  it.each(['s3:///key', 's3://a/key', 's3://arn:aws:s3/key', 's3://-bucket/x'])(
    '%s names no bucket',
    (address) => {
      expect(() => parseS3(address)).toThrow(/is no name of a bucket/)
    },
  )

  it('stands for a folder of objects with a slash at its end, or without a key', () => {
    expect(['s3://bucket', 's3://bucket/', 's3://bucket/a/'].every(isS3Folder)).toBe(true)
    expect(isS3Folder('s3://bucket/a')).toBe(false)
  })
})
