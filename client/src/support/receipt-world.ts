import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { encode as encodeNode, prepare } from '@ipld/dag-pb'
import { startTestChain } from '@peerhost/contracts/testing'
import {
  addEarnings,
  type BatchHeader,
  type BatchLeaf,
  batchHeaderHash,
  cidOfDigest,
  createPureSigner,
  DAG_PB,
  type Domain,
  earningsTree,
  encodeBatchData,
  encodeInput,
  encodeResult,
  executionCoordinatorAbi,
  type FunctionInput,
  type FunctionResult,
  type FunctionSpec,
  type Hex,
  hashMessage,
  keccak256,
  NETWORKS,
  paymentRefOfAuthorization,
  receiptsTree,
  resultCommit,
  type SignedReceipt,
  serviceId,
  sha256Hex,
  sortLeaves,
  stakeVaultAbi,
  testUsdcAbi,
  toHex,
  ZERO_HASH,
} from '@peerhost/protocol'
import { Contract, type NonceManager, Wallet } from 'ethers'
import { CID } from 'multiformats/cid'
import { type ChainReader, createChainReader } from '../receipt/chain-reader.ts'

const hex32 = (byte: string): Hex => `0x${byte.repeat(32)}`

/** Changes to the messages before they are signed. */
export interface Tampering {
  request?: Partial<SignedReceipt['request']>
  assignment?: Partial<SignedReceipt['assignment']>
  receipt?: Partial<SignedReceipt['receipt']>
  acceptance?: Partial<SignedReceipt['acceptance']>
  result?: FunctionResult
  input?: FunctionInput
}

export interface Answer {
  receipt: SignedReceipt
  requestBody: Uint8Array
  body: Uint8Array
  payment: { paymentRef: Hex; amount: bigint }
}

/** A real chain with a registered function, a staked gateway and a staked worker, whose receipts are made here by hand. */
export class ReceiptWorld {
  readonly spec: FunctionSpec = {
    name: 'quote',
    codeDigest: hex32('c0'),
    manifestDigest: hex32('aa'),
    price: 1000n,
    class: 1,
    runtimeId: hex32('e0'),
  }
  readonly project = 'shop'
  /** Blocks that `/ipfs` serves. */
  readonly blocks = new Map<string, Uint8Array>()
  readonly workerKey = createPureSigner(Wallet.createRandom().privateKey as Hex)
  readonly gatewayKey = createPureSigner(Wallet.createRandom().privateKey as Hex)
  chain!: Awaited<ReturnType<typeof startTestChain>>
  reader!: ChainReader
  domain!: Domain
  ipfsUrl!: string
  owner!: Hex
  worker!: Hex
  gateway!: Hex
  serviceId!: Hex
  #gatewaySigner!: NonceManager
  #coordinator!: Contract
  #server!: ReturnType<typeof createServer>
  #head: { index: bigint; hash: Hex; earnings: ReturnType<typeof addEarnings> } = {
    index: -1n,
    hash: ZERO_HASH,
    earnings: [],
  }

  static async start(): Promise<ReceiptWorld> {
    const world = new ReceiptWorld()
    const chain = await startTestChain()
    world.chain = chain
    world.domain = {
      chainId: NETWORKS.local.chainId,
      verifyingContract: chain.contracts.ExecutionCoordinator.toLowerCase() as Hex,
    }
    const { rpcUrl, contracts } = chain
    world.reader = createChainReader({ rpcUrl, chainId: NETWORKS.local.chainId, contracts })
    const developer = await chain.account()
    world.owner = developer.address
    world.serviceId = serviceId(developer.address, world.project, world.spec.name)
    world.#coordinator = new Contract(contracts.ExecutionCoordinator, executionCoordinatorAbi, chain.provider)
    await (await (world.#coordinator.connect(developer.signer) as Contract).deploy!(world.project, [world.spec])).wait()
    world.worker = (await world.#bond(1, world.workerKey)).address
    const gateway = await world.#bond(5, world.gatewayKey)
    world.gateway = gateway.address
    world.#gatewaySigner = gateway.signer
    world.#server = createServer((req, res) => {
      const block = world.blocks.get(/^\/ipfs\/(\w+)/.exec(req.url ?? '')?.[1] ?? '')
      if (block) res.end(block)
      else res.writeHead(404).end()
    })
    world.#server.listen(0, '127.0.0.1')
    await once(world.#server, 'listening')
    world.ipfsUrl = `http://127.0.0.1:${(world.#server.address() as AddressInfo).port}`
    return world
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await this.chain.stop()
  }

  async #bond(units: number, key: { address: Hex; sign(digest: Hex): Hex }) {
    const account = await this.chain.account(BigInt(units) * 100_000_000n)
    const usdc = new Contract(this.chain.usdc, testUsdcAbi, account.signer)
    const vault = new Contract(this.chain.contracts.StakeVault, stakeVaultAbi, account.signer)
    await (await usdc.approve!(this.chain.contracts.StakeVault, BigInt(units) * 100_000_000n)).wait()
    await (await vault.stake!(units)).wait()
    const digest = hashMessage(this.domain, 'HotKey', { owner: account.address, key: key.address })
    await (await vault.registerHotKey!(key.address, key.sign(digest))).wait()
    return account
  }

  /** One answered, paid call. */
  async answer(tampering: Tampering = {}): Promise<Answer> {
    const requestBody = Buffer.from('{"sku":42}')
    const body = Buffer.from('{"price":"3.50"}')
    const input = encodeInput(
      tampering.input ?? {
        kind: 'http',
        request: {
          method: 'POST',
          host: 'gateway',
          sourceAddress: '127.0.0.1',
          path: '/quote',
          query: '',
          headers: [],
          body: requestBody,
        },
      },
    )
    const result: FunctionResult = tampering.result ?? {
      kind: 'http',
      status: 0,
      response: { httpStatus: 200, headers: [], body },
    }
    const output = encodeResult(result)
    const { timestamp } = (await this.chain.provider.getBlock('latest'))!
    const clockMs = BigInt(Math.max(timestamp * 1000, Date.now()))
    const epoch = clockMs / 1000n / (await this.reader.epochLength())
    const payer = this.owner
    const nonce = toHex(crypto.getRandomValues(new Uint8Array(32)))
    const request = {
      ...{
        serviceId: this.serviceId,
        version: 1,
        inputHash: keccak256(input),
        payer,
        maxPrice: 1000n,
        clockMs,
        deadlineMs: clockMs + 10_000n,
        nonce,
      },
      ...tampering.request,
    }
    const requestHash = hashMessage(this.domain, 'Request', request)
    const assignment = {
      ...{ requestHash, attempt: 0, gateway: this.gateway, worker: this.worker, epoch, answerByMs: clockMs + 9000n },
      ...tampering.assignment,
    }
    const assignmentHash = hashMessage(this.domain, 'Assignment', assignment)
    const salt = this.workerKey.salt(assignmentHash)
    const { codeDigest, runtimeId } = this.spec
    const commit = resultCommit(keccak256(output), salt, this.worker)
    const receipt = {
      ...{
        assignmentHash,
        requestHash,
        serviceId: this.serviceId,
        version: 1,
        codeDigest,
        runtimeId,
        sandbox: 1,
        resultCommit: commit,
      },
      ...{ tapeRoot: ZERO_HASH, status: result.status, price: 1000n, epoch, worker: this.worker },
      ...tampering.receipt,
    }
    const receiptHash = hashMessage(this.domain, 'Receipt', receipt)
    const paymentRef = paymentRefOfAuthorization(NETWORKS.local.usdc.address, payer, nonce)
    const acceptance = { receiptHash, paymentRef, anchorBy: clockMs / 1000n + 300n, ...tampering.acceptance }
    const gatewaySigns = (digest: Hex) => this.gatewayKey.sign(digest)
    return {
      receipt: {
        request,
        assignment: { ...assignment, signature: gatewaySigns(assignmentHash) },
        receipt: { ...receipt, signature: this.workerKey.sign(receiptHash) },
        acceptance: { ...acceptance, signature: gatewaySigns(hashMessage(this.domain, 'Acceptance', acceptance)) },
        salt,
        input,
        output,
      },
      requestBody,
      body,
      payment: { paymentRef, amount: 1000n },
    }
  }

  /** Anchors a batch of these receipts; the data is put on `/ipfs` unless told otherwise. */
  async anchor(receipts: SignedReceipt[], options: { withhold?: boolean; data?: SignedReceipt[] } = {}): Promise<Hex> {
    const leavesOf = (list: SignedReceipt[]) => sortLeaves(list.map((one) => this.#leaf(one)))
    const leaves = leavesOf(receipts)
    const earnings = addEarnings(this.#head.earnings, leaves)
    const dataLeaves = options.data ? leavesOf(options.data) : leaves
    const dataDigest = this.#store(encodeBatchData(dataLeaves, earnings), options.withhold ?? false)
    const header: BatchHeader = {
      gateway: this.gateway,
      index: this.#head.index + 1n,
      predecessor: this.#head.hash,
      receiptsRoot: receiptsTree(leaves).root,
      earningsRoot: earningsTree(earnings).root,
      dataDigest,
      count: leaves.length,
      cumulativeWeight: earnings.reduce((sum, { cumulative }) => sum + cumulative, 0n),
      reserved: ZERO_HASH,
    }
    await (await (this.#coordinator.connect(this.#gatewaySigner) as Contract).anchor!(header)).wait()
    this.#head = { index: header.index, hash: batchHeaderHash(header), earnings }
    return dataDigest
  }

  #leaf({
    receipt: { signature, ...receipt },
    acceptance: { signature: accepted, ...acceptance },
  }: SignedReceipt): BatchLeaf {
    const receiptHash = hashMessage(this.domain, 'Receipt', receipt)
    return { receiptHash, receipt, receiptSignature: signature, acceptance, acceptanceSignature: accepted }
  }

  /** A dag-pb root over two raw leaves; returns the root's digest. */
  #store(data: Uint8Array, withhold: boolean): Hex {
    const half = Math.ceil(data.length / 2)
    const links = [data.slice(0, half), data.slice(half)].map((leaf) => {
      const cid = cidOfDigest(sha256Hex(leaf))
      if (!withhold) this.blocks.set(cid, leaf)
      return { Hash: CID.parse(cid), Name: '', Tsize: leaf.length }
    })
    const root = encodeNode(prepare({ Data: Uint8Array.of(8, 2), Links: links }))
    const digest = sha256Hex(root)
    this.blocks.set(cidOfDigest(digest, DAG_PB), root)
    return digest
  }
}
