import { connectChain, createSender, type TransactionSender } from '@peerhost/chain'
import { deployContracts, placeTestUsdc } from '@peerhost/contracts'
import { type ContractAddresses, type Hex, hashMessage, NETWORKS, stakeVaultAbi, testUsdcAbi } from '@peerhost/protocol'
import { createSigner } from '@peerhost/protocol/native'
import { Contract, getCreateAddress, Interface, NonceManager, toBeHex, Wallet } from 'ethers'
import { type Account, accounts } from './accounts.ts'

const { usdc: USDC, chainId } = NETWORKS.local
const token = new Interface(testUsdcAbi)
const vault = new Interface(stakeVaultAbi)

const UNIT = 100_000_000n
const GATEWAY_UNITS = 5
const WORKER_UNITS = 1
/** Atomic USDC that developer and payer start with. */
const ALLOWANCE = 1_000_000_000n

/**
 * Makes a fresh chain PeerHost's: test USDC, contracts, funded accounts, bonds and hot keys. On a chain that was kept, only
 * what is missing.
 */
export async function setUpChain(
  rpcUrl: string,
  workers: number,
): Promise<{ contracts: ContractAddresses; usdc: Hex }> {
  const chain = await connectChain({ rpcUrl, chainId })
  const { provider } = chain
  provider.pollingInterval = 10
  try {
    const deployer = accounts.deployer()
    const [StakeVault, PaymentVault, ExecutionCoordinator] = [0, 1, 2].map((nonce) =>
      getCreateAddress({ from: deployer.address, nonce }),
    ) as [Hex, Hex, Hex]
    let contracts: ContractAddresses = { ExecutionCoordinator, StakeVault, PaymentVault }
    await placeTestUsdc(provider)
    if ((await provider.getCode(ExecutionCoordinator)) === '0x') {
      const signer = new NonceManager(new Wallet(deployer.privateKey, provider))
      contracts = (await deployContracts({ signer, network: 'local' })).addresses
    }
    const members = [
      { ...accounts.gateway(), units: GATEWAY_UNITS },
      ...Array.from({ length: workers }, (_, i) => ({ ...accounts.worker(i), units: WORKER_UNITS })),
    ]
    const senderOf = ({ privateKey }: Account) => createSender({ provider, privateKey, pollMs: 10 })
    await Promise.all([
      ...members.map((member) => bond(senderOf(member), member)),
      ...[accounts.developer(), accounts.payer()].map((account) => fund(senderOf(account), ALLOWANCE)),
    ])
    return { contracts, usdc: USDC.address }

    async function fund(sender: TransactionSender, amount: bigint): Promise<void> {
      await provider.send('anvil_setBalance', [sender.address, toBeHex(10n ** 22n)])
      const balance = (await new Contract(USDC.address, testUsdcAbi, provider).balanceOf!(sender.address)) as bigint
      if (balance < amount / 2n)
        await send(sender, USDC.address, token.encodeFunctionData('mint', [sender.address, amount]))
    }

    async function bond(
      sender: TransactionSender,
      { address, privateKey, units }: Account & { units: number },
    ): Promise<void> {
      const reader = new Contract(contracts.StakeVault, stakeVaultAbi, provider)
      if (((await reader.unitsOf!(address)) as bigint) < BigInt(units)) {
        const amount = UNIT * BigInt(units)
        await fund(sender, 2n * amount)
        await send(sender, USDC.address, token.encodeFunctionData('approve', [contracts.StakeVault, amount]))
        await send(sender, contracts.StakeVault, vault.encodeFunctionData('stake', [units]))
      }
      const [owner] = (await reader.hotKey!(address)) as [string]
      if (owner.toLowerCase() === address) return
      const domain = { chainId, verifyingContract: contracts.ExecutionCoordinator }
      const proof = createSigner(privateKey).sign(hashMessage(domain, 'HotKey', { owner: address, key: address }))
      await send(sender, contracts.StakeVault, vault.encodeFunctionData('registerHotKey', [address, proof]))
    }
  } finally {
    chain.close()
  }
}

async function send(sender: TransactionSender, to: Hex, data: string): Promise<void> {
  await (await sender.send({ to, data: data as Hex })).wait()
}
