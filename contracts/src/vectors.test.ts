import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import {
  type BatchHeader,
  batchHeaderHash,
  bodyRoot,
  type Domain,
  type FunctionSpec,
  type Hex,
  hashMessage,
  MESSAGE_FIELDS,
  type MessageTypes,
  paymentRefOfAuthorization,
  paymentRefOfChannel,
  resultCommit,
  type SumLeaf,
  SumTree,
  serviceId,
  specHash,
  specsHash,
} from '@peerhost/protocol'
import { Contract, ContractFactory, dataSlice, keccak256, TypedDataEncoder } from 'ethers'
import { compile, openChain, type TestChain } from '../test/support/chain.ts'

// Solidity's hashes against TypeScript's: first the vectors of protocol/, then values at random.

const read = async (name: string) =>
  JSON.parse(await readFile(new URL(`../../protocol/vectors/${name}.json`, import.meta.url), 'utf8'))

let chain: TestChain
let harness: Contract
const domain: Domain = (await read('messages')).domain

before(async () => {
  chain = await openChain()
  const { abi, bytecode } = await compile('VectorHarness')
  const factory = new ContractFactory(abi, bytecode, chain.signers[0]!)
  const deployed = await factory.deploy(domain.chainId, domain.verifyingContract)
  harness = new Contract(await deployed.getAddress(), abi, chain.provider)
})
after(() => chain.close())

const call = (name: string, ...args: unknown[]): Promise<string> => harness.getFunction(name).staticCall(...args)

test('vectors: EIP-712 digests and signatures', async () => {
  const { vectors, signer } = await read('messages')
  for (const { type, message, digest, signature } of vectors) {
    assert.equal(await call(`digest${type}`, message), digest, type)
    assert.equal((await call('recover', digest, signature)).toLowerCase(), signer, type)
  }
  const types = new Set(vectors.map(({ type }: { type: string }) => type))
  assert.deepEqual([...types].sort(), Object.keys(MESSAGE_FIELDS).sort(), 'every message has a vector')
})

test('vectors: ids, commitments and payment references', async () => {
  const ids = await read('ids')
  const { owner, project, function: name, hash } = ids.serviceId
  assert.equal(await call('serviceId', owner, project, name), hash)
  const commit = ids.resultCommit
  assert.equal(await call('resultCommit', commit.resultHash, commit.salt, commit.worker), commit.hash)
  const exact = ids.paymentRefOfAuthorization
  assert.equal(await call('paymentRefOfAuthorization', exact.asset, exact.payer, exact.nonce), exact.hash)
  const channel = ids.paymentRefOfChannel
  assert.equal(await call('paymentRefOfChannel', channel.channelId, channel.cumulative), channel.hash)
  assert.equal(await call('commitment', ids.specs.specs[0]), ids.specs.first)
  assert.equal(await call('specsHash', ids.specs.specs), ids.specs.all)
  assert.equal(await call('headerHash', ids.batchHeader.header), ids.batchHeader.hash)
})

test('vectors: body roots', async () => {
  for (const { size, root } of (await read('bodies')).vectors) {
    const body = Uint8Array.from({ length: size }, (_, i) => (31 * i + 7) % 256)
    assert.equal(await call('bodyRoot', body), root, `${size} bytes`)
  }
})

test('vectors: inputs and results are keccak256 of their encoding, which ends with the body root', async () => {
  for (const { name, input, encoded, inputHash } of await read('inputs')) {
    assert.equal(keccak256(encoded), inputHash, name)
    const body: string = input.kind === 'http' ? input.request.body : input.body
    if (body !== undefined)
      assert.equal(dataSlice(encoded, (encoded.length - 2) / 2 - 32), await call('bodyRoot', body), name)
  }
  for (const { name, result, encoded, resultHash } of await read('results')) {
    assert.equal(keccak256(encoded), resultHash, name)
    const body: string | undefined = result.kind === 'http' ? result.response?.body : result.body
    if (body !== undefined)
      assert.equal(dataSlice(encoded, (encoded.length - 2) / 2 - 32), await call('bodyRoot', body), name)
  }
})

test('vectors: sum trees', async () => {
  for (const { leaves, root, sum, proofs } of await read('trees')) {
    for (const proof of proofs) {
      const { key, reference, weight } = leaves[proof.index]
      const result = await harness.getFunction('receiptRoot').staticCall(key, reference, weight, proof)
      assert.deepEqual([...result], [root, BigInt(sum)], `${leaves.length} leaves, ${proof.index}`)
    }
  }
})

// --- at random, always the same: a failure can be repeated

let drawn = 0
function bytes(size: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(size / 32) }, () =>
    createHash('sha256').update(`random ${drawn++}`).digest(),
  )
  return new Uint8Array(Buffer.concat(blocks).subarray(0, size))
}
const hex = (size: number): Hex => `0x${Buffer.from(bytes(size)).toString('hex')}`
/** Of up to `bits`, often small or at its limit. */
const integer = (bits: number): bigint => {
  const choice = bytes(1)[0]! % 4
  if (choice === 0) return BigInt(bytes(1)[0]! % 3)
  if (choice === 1) return (1n << BigInt(bits)) - 1n
  return BigInt(hex(bits / 8))
}
const text = (): string => Buffer.from(bytes(bytes(1)[0]! % 80)).toString('latin1')

function value(type: string): unknown {
  if (type === 'bytes32') return hex(32)
  if (type === 'address') return hex(20)
  if (type === 'string') return text()
  const bits = Number(type.slice('uint'.length))
  return bits <= 32 ? Number(integer(bits)) : integer(bits)
}

const randomSpec = (): FunctionSpec => ({
  name: text(),
  codeDigest: hex(32),
  manifestDigest: hex(32),
  price: integer(128),
  class: Number(integer(8)),
  runtimeId: hex(32),
})

for (const type of Object.keys(MESSAGE_FIELDS) as (keyof MessageTypes)[]) {
  test(`at random: ${type}, hashed by Solidity, by us and by ethers`, async () => {
    for (let i = 0; i < 50; i++) {
      const message = Object.fromEntries(MESSAGE_FIELDS[type].map((field) => [field.name, value(field.type)]))
      const digest = hashMessage(domain, type, message as never)
      assert.equal(await call(`digest${type}`, message), digest)
      const typed = { name: 'PeerHost', version: '1', ...domain }
      assert.equal(TypedDataEncoder.hash(typed, { [type]: MESSAGE_FIELDS[type] }, message), digest)
    }
  })
}

test('at random: the audit attestation, which only Solidity and ethers know yet', async () => {
  const fields = [
    { name: 'receiptHash', type: 'bytes32' },
    { name: 'auditCommit', type: 'bytes32' },
    { name: 'auditor', type: 'address' },
  ]
  const message = Object.fromEntries(fields.map((field) => [field.name, value(field.type)]))
  const typed = { name: 'PeerHost', version: '1', ...domain }
  const digest = TypedDataEncoder.hash(typed, { AuditAttestation: fields }, message)
  assert.equal(await call('digestAuditAttestation', message), digest)
})

test('at random: ids, commitments, headers', async () => {
  for (let i = 0; i < 50; i++) {
    const [owner, project, name] = [hex(20), text(), text()]
    assert.equal(await call('serviceId', owner, project, name), serviceId(owner, project, name))
    const [resultHash, salt, worker] = [hex(32), hex(32), hex(20)]
    assert.equal(await call('resultCommit', resultHash, salt, worker), resultCommit(resultHash, salt, worker))
    assert.equal(
      await call('paymentRefOfAuthorization', owner, worker, salt),
      paymentRefOfAuthorization(owner, worker, salt),
    )
    const cumulative = integer(128)
    assert.equal(await call('paymentRefOfChannel', salt, cumulative), paymentRefOfChannel(salt, cumulative))
    const specs = Array.from({ length: i % 4 }, randomSpec)
    assert.equal(await call('specsHash', specs), specsHash(specs))
    const spec = randomSpec()
    assert.equal(await call('commitment', spec), specHash(spec))
    const header: BatchHeader = {
      gateway: owner,
      index: integer(64),
      predecessor: hex(32),
      receiptsRoot: hex(32),
      earningsRoot: hex(32),
      dataDigest: hex(32),
      count: Number(integer(32)),
      cumulativeWeight: integer(96),
      reserved: hex(32),
    }
    assert.equal(await call('headerHash', header), batchHeaderHash(header))
  }
})

test('at random: body roots', async () => {
  for (let i = 0; i < 12; i++) {
    const body = bytes((i * 3000) % 40_000)
    assert.equal(await call('bodyRoot', body), bodyRoot(body), `${body.length} bytes`)
  }
})

test('at random: receipts and earnings trees of up to 40 leaves', async () => {
  for (let count = 1; count <= 40; count += 3) {
    const leaves: SumLeaf[] = Array.from({ length: count }, () => ({
      key: hex(32),
      reference: hex(32),
      weight: integer(96) >> 8n,
    }))
    const tree = new SumTree(leaves)
    const index = bytes(1)[0]! % count
    const { key, reference, weight } = leaves[index]!
    const shown = await harness.getFunction('receiptRoot').staticCall(key, reference, weight, tree.proof(index))
    assert.deepEqual([...shown], [tree.root, tree.sum])

    const workers = leaves.map((leaf) => `0x${leaf.key.slice(26)}` as Hex)
    const earnings = new SumTree(
      leaves.map(
        (leaf, i): SumLeaf => ({
          key: `0x${'00'.repeat(12)}${workers[i]!.slice(2)}`,
          reference: `0x${'00'.repeat(32)}`,
          weight: leaf.weight,
        }),
      ),
    )
    const earned = await harness.getFunction('earningsRoot').staticCall(workers[index], weight, earnings.proof(index))
    assert.deepEqual([...earned], [earnings.root, earnings.sum])
  }
})
