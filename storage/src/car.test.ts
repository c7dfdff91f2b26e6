import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createWriter } from '@ipld/car/buffer-writer'
import { CHUNK_SIZE } from '@peerhost/protocol'
import { CID } from 'multiformats/cid'
import { readCar, toCar } from './car.ts'
import { importBytes } from './import-bytes.ts'
import { bytesOf } from './support/test-helpers.ts'

const carOf = (roots: string[], blocks: { cid: string; bytes: Uint8Array }[]): Uint8Array => {
  const size = blocks.reduce((sum, block) => sum + block.bytes.length + 64, 0)
  const writer = createWriter(new ArrayBuffer(size + 64 * (roots.length + 1) + 64), {
    roots: roots.map((cid) => CID.parse(cid)),
  })
  for (const { cid, bytes } of blocks) writer.write({ cid: CID.parse(cid), bytes })
  return writer.close({ resize: true })
}

test('a CAR gives back the file, and is what @ipld/car itself writes', async () => {
  const file = await importBytes(bytesOf(CHUNK_SIZE * 2 + 5))
  const car = toCar(file)
  assert.deepEqual(await readCar(car), {
    ...file,
    blocks: file.blocks.map(({ cid, bytes }) => ({ cid, bytes: Uint8Array.from(bytes) })),
  })
  assert.deepEqual(Buffer.from(car), Buffer.from(carOf([file.cid], file.blocks)))
})

test('a changed byte anywhere is noticed', async () => {
  const car = toCar(await importBytes(Buffer.from('a small file')))
  for (let i = 0; i < car.length; i++) {
    const changed = Uint8Array.from(car)
    changed[i]! ^= 0x40
    await assert.rejects(readCar(changed), (error: { code: string }) => error.code.startsWith('PH_STORE_'), `byte ${i}`)
  }
})

test('random bytes and cut CARs are refused with a code', async () => {
  const car = toCar(await importBytes(bytesOf(CHUNK_SIZE + 1)))
  const cut = [0, 1, 20, 60, 100, 200, car.length - 1].map((length) => car.subarray(0, length))
  for (const bytes of [...cut, ...Array.from({ length: 200 }, (_, i) => randomBytes(i))]) {
    await assert.rejects(readCar(bytes), { code: 'PH_STORE_CAR_INVALID' })
  }
})

test('one root, all of its blocks and no others', async () => {
  const file = await importBytes(bytesOf(CHUNK_SIZE + 1))
  const other = await importBytes(Buffer.from('a stowaway'))
  const refused = { code: 'PH_STORE_CAR_INVALID' }
  await assert.rejects(readCar(carOf([], file.blocks)), refused)
  await assert.rejects(readCar(carOf([file.cid, other.cid], [...file.blocks, ...other.blocks])), refused)
  await assert.rejects(readCar(carOf([file.cid], [...file.blocks, ...other.blocks])), refused)
  await assert.rejects(readCar(carOf([file.cid], file.blocks.slice(1))), refused)
  await assert.rejects(readCar(carOf([file.cid], file.blocks.slice(0, 2))), refused)
  await assert.rejects(readCar(toCar(file), { root: other.cid }), refused)
  await assert.rejects(readCar(toCar(file), { maxBytes: CHUNK_SIZE }), { code: 'PH_STORE_TOO_LARGE' })
})
