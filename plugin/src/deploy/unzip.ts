import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { inflateRaw } from 'node:zlib'

const inflate = promisify(inflateRaw)

const END = 0x06054b50
const CENTRAL = 0x02014b50
const LOCAL = 0x04034b50

/** Where the list of entries begins, and how many there are (APPNOTE.TXT, 4.3.16). */
function findEntries(zip: Buffer): { offset: number; count: number } {
  for (let at = zip.length - 22; at >= Math.max(0, zip.length - 65_557); at--) {
    if (zip.readUInt32LE(at) === END) return { count: zip.readUInt16LE(at + 10), offset: zip.readUInt32LE(at + 16) }
  }
  throw new Error('it is not a zip file')
}

/**
 * Unpacks a zip into a folder: plain files and folders, stored or deflated. Refuses entries that would leave the folder, and
 * more than `maxBytes` in all.
 */
export async function unzip(zip: Buffer, dir: string, maxBytes: number): Promise<void> {
  const { offset, count } = findEntries(zip)
  let at = offset
  let total = 0
  for (let i = 0; i < count; i++) {
    if (zip.readUInt32LE(at) !== CENTRAL) throw new Error('its list of files is damaged')
    const method = zip.readUInt16LE(at + 10)
    const packed = zip.readUInt32LE(at + 20)
    const size = zip.readUInt32LE(at + 24)
    const [nameLength, extraLength, commentLength] = [
      zip.readUInt16LE(at + 28),
      zip.readUInt16LE(at + 30),
      zip.readUInt16LE(at + 32),
    ]
    const local = zip.readUInt32LE(at + 42)
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength)
    at += 46 + nameLength + extraLength + commentLength

    const target = path.join(dir, name)
    if (path.relative(dir, target).startsWith('..') || path.isAbsolute(name))
      throw new Error(`${name} would lie outside`)
    if (name.endsWith('/')) continue
    total += size
    if (total > maxBytes) throw new Error(`it holds more than ${maxBytes} bytes`)
    if (zip.readUInt32LE(local) !== LOCAL) throw new Error(`${name} is damaged`)
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
    const data = zip.subarray(start, start + packed)
    if (method !== 0 && method !== 8) throw new Error(`${name} is packed by method ${method}`)
    const bytes = method === 0 ? data : await inflate(data, { maxOutputLength: Math.max(size, 1) })
    if (bytes.length !== size) throw new Error(`${name} is damaged`)
    mkdirSync(path.dirname(target), { recursive: true })
    writeFileSync(target, bytes)
  }
}
