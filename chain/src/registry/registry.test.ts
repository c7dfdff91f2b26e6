import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestChain, type TestChain } from '@peerhost/contracts/testing'
import {
  type FunctionSpec,
  type Hex,
  hashMessage,
  NETWORKS,
  serviceId,
  stakeVaultAbi,
  testUsdcAbi,
} from '@peerhost/protocol'
import { createSigner } from '@peerhost/protocol/native'
import { Contract } from 'ethers'
import { connectChain, createRegistry, createSender, deployFunctions, type Registry, retiredSpec } from '../index.ts'

let chain: TestChain
before(async () => {
  chain = await startTestChain()
})
after(() => chain.stop())

const hash = (byte: number): Hex => `0x${byte.toString(16).padStart(2, '0').repeat(32)}`
const spec = (name: string, code: number, price = 0n): FunctionSpec => ({
  name,
  codeDigest: hash(code),
  manifestDigest: hash(code + 1),
  price,
  class: 0,
  runtimeId: hash(9),
})

async function mirror(extra: Partial<Parameters<typeof createRegistry>[0]> = {}): Promise<Registry> {
  return createRegistry({ provider: chain.provider, contracts: chain.contracts, finality: 'latest', ...extra })
}

test('a mirror knows a function as soon as it has looked, and each of its versions', async () => {
  const { privateKey, address } = await chain.account()
  const sender = createSender({ provider: chain.provider, privateKey })
  const registry = await mirror()
  await registry.sync()
  assert.equal(registry.find(address, 'shop', 'quote'), undefined)
  await (await deployFunctions(sender, chain.contracts.ExecutionCoordinator, 'shop', [spec('quote', 1, 1000n)])).wait()
  await (
    await deployFunctions(sender, chain.contracts.ExecutionCoordinator, 'shop', [
      spec('quote', 3, 2000n),
      spec('other', 5),
    ])
  ).wait()
  await registry.sync()
  const quote = registry.find(address, 'shop', 'quote')!
  assert.equal(quote.version, 2)
  assert.deepEqual(quote.spec, spec('quote', 3, 2000n))
  assert.equal(registry.service(serviceId(address, 'shop', 'quote'), 1)?.spec.price, 1000n)
  assert.deepEqual(
    registry
      .project(address, 'shop')
      .map((service) => service.function)
      .sort(),
    ['other', 'quote'],
  )
  await (await deployFunctions(sender, chain.contracts.ExecutionCoordinator, 'shop', [retiredSpec('quote')])).wait()
  await registry.sync()
  assert.equal(registry.find(address, 'shop', 'quote')?.retired, true)
  assert.deepEqual(
    registry.project(address, 'shop').map((service) => service.function),
    ['other'],
  )
})

test('bonds and hot keys count from the epoch they were registered in', async () => {
  const worker = await chain.account(100_000_000n)
  const hotKey = createSigner((await chain.account()).privateKey)
  const vault = new Contract(chain.contracts.StakeVault, stakeVaultAbi, worker.signer)
  await (
    await new Contract(chain.usdc, testUsdcAbi, worker.signer).approve!(chain.contracts.StakeVault, 100_000_000n)
  ).wait()
  await (await vault.stake!(1)).wait()
  const domain = { chainId: NETWORKS.local.chainId, verifyingContract: chain.contracts.ExecutionCoordinator }
  const proof = hotKey.sign(hashMessage(domain, 'HotKey', { owner: worker.address, key: hotKey.address }))
  await (await vault.registerHotKey!(hotKey.address, proof)).wait()
  const registry = await mirror()
  await registry.sync()
  const epoch = (await vault.currentEpoch!()) as bigint
  assert.equal(registry.isEligibleWorker(worker.address), true)
  assert.equal(registry.hotKeyOwner(hotKey.address, epoch), worker.address)
  assert.equal(registry.hotKeyOwner(hotKey.address, epoch - 1n), undefined)
  await (await vault.unbond!(100_000_000n)).wait()
  await registry.sync()
  assert.equal(registry.isEligibleWorker(worker.address), false)
})

test('what a re-organisation takes back is taken back, and what it brings is found', async () => {
  const { privateKey, address } = await chain.account()
  const registry = await mirror()
  await registry.sync()
  const snapshot = await chain.provider.send('evm_snapshot', [])
  const first = createSender({ provider: chain.provider, privateKey })
  await (await deployFunctions(first, chain.contracts.ExecutionCoordinator, 'reorg', [spec('gone', 1)])).wait()
  await registry.sync()
  assert.ok(registry.find(address, 'reorg', 'gone'))
  await chain.provider.send('evm_revert', [snapshot])
  await chain.provider.send('anvil_mine', ['0x1'])
  const second = createSender({ provider: chain.provider, privateKey })
  await (await deployFunctions(second, chain.contracts.ExecutionCoordinator, 'reorg', [spec('here', 2)])).wait()
  await registry.sync()
  assert.equal(registry.find(address, 'reorg', 'gone'), undefined)
  assert.ok(registry.find(address, 'reorg', 'here'))
})

test('what a re-organisation took back is told and kept, also where the look after it fails', async () => {
  const { privateKey, address } = await chain.account()
  const kept: string[] = []
  const registry = await mirror({ persistence: { load: () => undefined, save: (text) => kept.push(text) } })
  await registry.sync()
  const snapshot = await chain.provider.send('evm_snapshot', [])
  const sender = createSender({ provider: chain.provider, privateKey })
  await (await deployFunctions(sender, chain.contracts.ExecutionCoordinator, 'reorg', [spec('gone', 1)])).wait()
  await registry.sync()
  await chain.provider.send('evm_revert', [snapshot])
  await chain.provider.send('anvil_mine', ['0x5'])
  kept.length = 0
  let told = 0
  registry.onChange(() => told++)
  const { send } = chain.provider
  chain.provider.send = function (method: string, params: unknown[]) {
    if (method === 'eth_getLogs') throw Object.assign(new Error('gone'), { code: 'ECONNREFUSED' })
    return send.call(this, method, params as never)
  }
  await assert.rejects(registry.sync(), { code: 'PH_CHAIN_UNREACHABLE' })
  chain.provider.send = send
  await registry.sync()
  assert.equal(registry.find(address, 'reorg', 'gone'), undefined)
  assert.equal(told, 1)
  assert.equal(kept.length, 1)
})

test('a mirror goes on from what it kept, but not on another chain', async () => {
  const { privateKey, address } = await chain.account()
  const sender = createSender({ provider: chain.provider, privateKey })
  let kept: string | undefined
  const persistence = {
    load: () => kept,
    save(text: string) {
      kept = text
    },
  }
  const first = await mirror({ persistence })
  await (await deployFunctions(sender, chain.contracts.ExecutionCoordinator, 'kept', [spec('f', 1, 5n)])).wait()
  await first.sync()
  const asked: string[] = []
  const { send } = chain.provider
  chain.provider.send = function (method: string, params: unknown[]) {
    if (method === 'eth_getLogs') asked.push(method)
    return send.call(this, method, params as never)
  }
  const second = await mirror({ persistence })
  assert.equal(second.find(address, 'kept', 'f')?.spec.price, 5n)
  await second.sync()
  chain.provider.send = send
  assert.deepEqual(asked, [], 'nothing is read twice')
  kept = kept!.replace(/"key":"0x[0-9a-f]{8}/, '"key":"0x00000000')
  const third = await mirror({ persistence })
  assert.equal(third.find(address, 'kept', 'f'), undefined)
})

test('one sender has many transactions under way at once', async () => {
  const { privateKey } = await chain.account()
  const sender = createSender({ provider: chain.provider, privateKey })
  const sent = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      deployFunctions(sender, chain.contracts.ExecutionCoordinator, 'many', [spec(`f${i}`, 1)]),
    ),
  )
  const receipts = await Promise.all(sent.map((transaction) => transaction.wait()))
  assert.equal(new Set(receipts.map(({ hash }) => hash)).size, 20)
})

test('a refused transaction names the contract’s error, an empty account its address', async () => {
  const { privateKey } = await chain.account()
  const sender = createSender({ provider: chain.provider, privateKey })
  await assert.rejects(deployFunctions(sender, chain.contracts.ExecutionCoordinator, 'p', [retiredSpec('never')]), {
    code: 'PH_CHAIN_REVERTED',
    message: /NothingToRetire\(never\)/,
  })
  const poor = createSender({ provider: chain.provider, privateKey: hash(7) })
  await assert.rejects(deployFunctions(poor, chain.contracts.ExecutionCoordinator, 'p', [spec('f', 1)]), {
    code: 'PH_CHAIN_NO_FUNDS',
  })
})

test('a node that is not there or of another chain is told apart', async () => {
  await assert.rejects(connectChain({ rpcUrl: 'http://127.0.0.1:9', chainId: 84532, timeoutMs: 500 }), {
    code: 'PH_CHAIN_UNREACHABLE',
  })
  await assert.rejects(connectChain({ rpcUrl: chain.rpcUrl, chainId: 137 }), { code: 'PH_CHAIN_WRONG_NETWORK' })
})
