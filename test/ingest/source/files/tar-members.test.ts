import { describe, expect, it } from 'vitest'
import { tarMembers, type TarMember } from '../../../../src/ingest/source/files/tar-members.ts'
import { collectAll, failure, memoryFiles } from '../../../helpers/sources.ts'
import { makeTar, paxEntry, tarEntry, type TarEntry } from '../../../helpers/tar.ts'

async function membersOf(tar: Buffer, offset = 0, size = tar.length): Promise<TarMember[]> {
  const file = await memoryFiles({ tar }).file('tar').open()
  return collectAll(tarMembers({ ...file, size }, offset))
}
const only = async (...entries: readonly TarEntry[]) => (await membersOf(makeTar(entries)))[0]

describe('tarMembers', () => {
  it('gives files in order with the places of their bytes', async () => {
    const tar = makeTar([
      { name: 'a.txt', body: 'abc' },
      { name: 'folder/', type: '5' },
      { name: './folder/b.txt', body: Buffer.alloc(600) },
      { name: 'c', body: '' },
    ])

    expect(await membersOf(tar)).toEqual([
      { name: 'a.txt', offset: 0, dataOffset: 512, size: 3 },
      { name: 'folder/b.txt', offset: 1536, dataOffset: 2048, size: 600 },
      { name: 'c', offset: 3072, dataOffset: 3584, size: 0 },
    ])
  })

  it('begins at any member, and goes on behind zeros', async () => {
    const tar = Buffer.concat([makeTar([{ name: 'a' }]), makeTar([{ name: 'b' }, { name: 'c' }])])

    expect((await membersOf(tar)).map(({ name, offset }) => [name, offset])).toEqual([
      ['a', 0],
      ['b', 1536],
      ['c', 2048],
    ])
    expect((await membersOf(tar, 2048)).map(({ name }) => name)).toEqual(['c'])
  })

  it('knows long names of GNU and pax, and sizes in base 256', async () => {
    const long = 'x'.repeat(200)
    const size = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3])

    expect(await only({ name: 'l', type: 'L', body: `${long}\0` }, { name: 'x' })).toMatchObject({
      name: long,
      offset: 0,
    })
    expect(await only(paxEntry({ path: 'é.txt', mtime: '1.5' }), { name: 'e' })).toMatchObject({
      name: 'é.txt',
      offset: 0,
      dataOffset: 1536,
    })
    expect(await only({ name: 'a', body: 'abc', size })).toMatchObject({ size: 3 })
  })

  it('joins the prefix of a ustar header', async () => {
    const entry = tarEntry({ name: 'b.txt' })
    entry.write('a/long', 345)
    const sum =
      8 * 32 + entry.reduce((total, byte, at) => (at < 148 || at >= 156 ? total + byte : total), 0)
    entry.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)

    const [member] = await membersOf(Buffer.concat([entry, Buffer.alloc(1024)]))

    expect(member?.name).toBe('a/long/b.txt')
  })

  it.each<[string, readonly TarEntry[]]>([
    ['absolute path', [{ name: '/etc/passwd' }]],
    ['absolute path', [{ name: 'C:/x' }]],
    ['".." in its path', [{ name: 'a/../../b' }]],
    ['back-slash in its name', [{ name: 'a\\b' }]],
    ['control character in its name', [{ name: 'a\nb' }]],
    ['name is not UTF-8', [{ name: Buffer.from([0x61, 0xff]) }]],
    ['no name', [{ name: '' }]],
    ['symbolic link', [{ name: 'a', type: '2', link: 'b' }]],
    ['hard link', [{ name: 'a', type: '1', link: 'b' }]],
    ['device', [{ name: 'a', type: '3' }]],
    ['pipe', [{ name: 'a', type: '6' }]],
    ['type "S"', [{ name: 'a', type: 'S' }]],
    ['sparse file', [paxEntry({ 'GNU.sparse.major': '1' }), { name: 'a' }]],
    ['two names', [{ name: 'l', type: 'L', body: 'x\0' }, paxEntry({ path: 'y' }), { name: 'a' }]],
    ['name of 300 bytes', [paxEntry({ path: 'x'.repeat(300) }), { name: 'a' }]],
  ])('marks as unsafe: %s', async (unsafe, entries) => {
    expect(await only(...entries)).toMatchObject({ unsafe })
  })

  it.each<[string, Buffer, string]>([
    [
      'has no end mark',
      tarEntry({ name: 'a' }),
      'cut at byte 512, after member "a": the end mark is missing',
    ],
    [
      'is cut in a header',
      Buffer.concat([tarEntry({ name: 'a' }), Buffer.alloc(100, 1)]),
      'cut inside a header at byte 512, after member "a"',
    ],
    [
      'is cut in a member',
      tarEntry({ name: 'a', body: 'abc' }).subarray(0, 514),
      'member "a" at byte 0 claims 3 bytes; the file ends after 2',
    ],
    ['has a wrong checksum', makeTar([{ name: 'a', checksum: 7 }]), 'no tar header at byte 0'],
    [
      'has a negative size',
      makeTar([{ name: 'a', size: Buffer.alloc(12, 0xff) }]),
      'header at byte 0 has no valid size',
    ],
    [
      'has two sizes',
      makeTar([paxEntry({ size: '4' }), { name: 'a', body: 'abc' }]),
      'two sizes, 3 and 4, for one member at byte 1024',
    ],
    [
      'has a malformed pax header',
      makeTar([{ name: 'p', type: 'x', body: 'nonsense' }, { name: 'a' }]),
      'malformed pax header at byte 0',
    ],
    [
      'names all members at once',
      makeTar([{ ...paxEntry({ path: 'x' }), type: 'g' }, { name: 'a' }]),
      'global pax header at byte 0 sets name for all members',
    ],
  ])('says of a tar that %s', async (_, tar, message) => {
    expect(await failure(membersOf(tar))).toBe(`DamagedFile: ${message}`)
  })

  it('finds a cut of a stream whose size is not known', async () => {
    const tar = tarEntry({ name: 'a', body: Buffer.alloc(600) }).subarray(0, 1000)

    expect(await failure(membersOf(tar, 0, Infinity))).toBe(
      'DamagedFile: member "a" at byte 0 claims 600 bytes; the file ends before',
    )
  })

  it('ends behind 2 MiB of zeros', async () => {
    const far = Buffer.concat([
      makeTar([{ name: 'a' }]),
      Buffer.alloc(2 ** 21),
      makeTar([{ name: 'b' }]),
    ])

    expect((await membersOf(far)).map(({ name }) => name)).toEqual(['a'])
  })
})
