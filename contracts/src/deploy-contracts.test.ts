import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { executionCoordinatorAbi, isPeerHostError, NETWORKS, paymentVaultAbi, stakeVaultAbi } from '@peerhost/protocol'
import { Contract, type InterfaceAbi, type JsonRpcSigner, Wallet } from 'ethers'
import { mined, openChain, type TestChain } from '../test/support/chain.ts'
import { hash, openNetwork, registerHotKey, type TestNetwork } from '../test/support/network.ts'
import { checkUsdc, deployContracts, PARAMETERS, placeTestUsdc, readArtifacts } from './index.ts'

const withCode = (code: string) => (error: unknown) => isPeerHostError(error) && error.code === code

describe('checkUsdc and placeTestUsdc', () => {
  let chain: TestChain
  beforeEach(async () => {
    await chain?.close()
    chain = await openChain()
  })
  after(() => chain.close())

  test('the placed token has USDC’s name, version, decimals and domain', async () => {
    const details = await placeTestUsdc(chain.provider)
    // Base Sepolia's USDC has this very domain, which is why stock x402 clients accept the local network.
    const domainSeparator = '0x71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818'
    const address = '0x036CbD53842c5426634e7929541eC2318f3dCF7e'
    assert.deepEqual(details, { address, name: 'USDC', version: '2', decimals: 6, domainSeparator })
    assert.deepEqual(await checkUsdc(chain.provider, address), details)
  })

  test('placing it again keeps the balances', async () => {
    const { address } = await placeTestUsdc(chain.provider)
    const token = new Contract(
      address,
      ['function mint(address,uint256)', 'function balanceOf(address) view returns (uint256)'],
      chain.signers[0],
    )
    await mined(token.mint!(address, 5n))
    await placeTestUsdc(chain.provider)
    assert.equal(await token.balanceOf!(address), 5n)
  })

  test('no code, no token', async () => {
    await assert.rejects(checkUsdc(chain.provider, NETWORKS.local.usdc.address), withCode('PH_CHAIN_CONTRACT_MISSING'))
  })

  test('a token of another name, version or kind is refused', async () => {
    const { address } = await placeTestUsdc(chain.provider)
    for (const expected of [
      { name: 'USD Coin', version: '2' },
      { name: 'USDC', version: '1' },
    ]) {
      await assert.rejects(checkUsdc(chain.provider, address, expected), withCode('PH_CHAIN_USDC_MISMATCH'))
    }
    const { addresses } = await deployContracts({ signer: chain.signers[0]!, network: 'local' })
    await assert.rejects(checkUsdc(chain.provider, addresses.StakeVault), withCode('PH_CHAIN_USDC_MISMATCH'))
  })

  test('a token whose domain is another chain’s is refused', async () => {
    const { address } = await placeTestUsdc(chain.provider)
    // Answers every question as the token does, except for its domain: 0.
    const { contracts } = readArtifacts()
    const selector = '3644e515' // DOMAIN_SEPARATOR()
    const code = contracts.TestUSDC.runtimeCode!.replaceAll(selector, '00000001')
    await chain.provider.send('hardhat_setCode', [address, code])
    await assert.rejects(checkUsdc(chain.provider, address), withCode('PH_CHAIN_USDC_MISMATCH'))
  })
})

describe('deployContracts', () => {
  let network: TestNetwork
  before(async () => {
    network = await openNetwork()
  })
  after(() => network.close())

  test('the contracts name each other and have the parameters of the network', async () => {
    const { addresses, deploymentBlock, transactions } = network.deployment
    const reader = (address: string, abi: unknown) => new Contract(address, abi as InterfaceAbi, network.provider)
    const coordinator = reader(addresses.ExecutionCoordinator, executionCoordinatorAbi)
    const stakes = reader(addresses.StakeVault, stakeVaultAbi)
    const payments = reader(addresses.PaymentVault, paymentVaultAbi)
    assert.equal(await coordinator.stakeVault!(), addresses.StakeVault)
    assert.equal(await coordinator.paymentVault!(), addresses.PaymentVault)
    assert.equal(await payments.stakeVault!(), addresses.StakeVault)
    for (const contract of [stakes, payments]) {
      assert.equal(await contract.coordinator!(), addresses.ExecutionCoordinator)
      assert.equal(String(await contract.usdc!()).toLowerCase(), NETWORKS.local.usdc.address)
    }
    const expected = PARAMETERS.local
    assert.equal(await stakes.unit!(), expected.unit)
    for (const key of [
      'workerMinimum',
      'gatewayMinimum',
      'epochLength',
      'unbondingPeriod',
      'maxAge',
      'disputePeriod',
    ] as const) {
      assert.equal(Number(await stakes.getFunction(key)()), expected[key], key)
    }
    for (const key of ['epochLength', 'challengeWindow', 'anchorBy', 'maxAge'] as const) {
      assert.equal(Number(await coordinator.getFunction(key)()), expected[key], key)
    }
    assert.equal(transactions.length, 3)
    const first = await network.provider.getTransactionReceipt(transactions[0]!)
    assert.equal(first?.blockNumber, deploymentBlock)
  })

  test('the same deployer gets the same addresses on another chain', async () => {
    const other = await openNetwork()
    assert.deepEqual(other.deployment.addresses, network.deployment.addresses)
    await other.close()
  })

  test('what TypeScript signs, the contracts accept', async () => {
    const [, , , , , , , , , owner] = network.signers as JsonRpcSigner[]
    const key = new Wallet(hash('some key'))
    await registerHotKey(network, owner!, key)
    assert.equal((await network.stakeVault.hotKey!(key.address)).owner, owner!.address)
  })

  test('parameters that do not go together are refused with the contract’s reason', async () => {
    const parameters = { unbondingPeriod: 60 }
    await assert.rejects(
      deployContracts({ signer: network.signers[0]!, network: 'local', parameters }),
      (error: Error) => {
        assert.ok(withCode('PH_CHAIN_REVERTED')(error))
        assert.match(error.message, /InvalidParameter\(unbondingPeriod, 60\)/)
        return true
      },
    )
  })

  test('another chain than the network’s is refused', async () => {
    await assert.rejects(
      deployContracts({ signer: network.signers[0]!, network: 'amoy' }),
      withCode('PH_CHAIN_WRONG_NETWORK'),
    )
  })

  test('a signer without funds is told so', async () => {
    const signer = new Wallet(hash('poor'), network.provider)
    await assert.rejects(deployContracts({ signer, network: 'local' }), withCode('PH_CHAIN_NO_FUNDS'))
  })

  test('the parameters of every network satisfy the constructors’ relations', () => {
    for (const [name, p] of Object.entries(PARAMETERS)) {
      assert.ok(p.unbondingPeriod > p.epochLength + p.maxAge + p.challengeWindow + p.disputePeriod, name)
      assert.ok(p.unbondingPeriod > 2 * p.epochLength, name)
      assert.equal(p.maxAge, p.anchorBy + 300, name)
    }
  })
})
