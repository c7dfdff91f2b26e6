import { connectChain, createSender, type NetworkConfig } from '@peerhost/chain'
import { type Hex, hashMessage, PeerHostError, parseUsdc, stakeVaultAbi, testUsdcAbi } from '@peerhost/protocol'
import { createSigner } from '@peerhost/protocol/native'
import { Contract, Interface } from 'ethers'

/** Bonds USDC in whole units for the key's own address, and registers the key as its hot key where it is not yet. */
export async function bond(network: NetworkConfig, privateKey: string, amount: string): Promise<void> {
  const atomic = parseUsdc(amount)
  const chain = await connectChain({ rpcUrl: network.rpcUrl, chainId: network.info.chainId })
  try {
    const { provider } = chain
    const { contracts, info } = network
    const vault = new Contract(contracts.StakeVault, stakeVaultAbi, provider)
    const unit = (await vault.unit!()) as bigint
    if (atomic === undefined || atomic === 0n || atomic % unit !== 0n) {
      throw new PeerHostError('PH_CONFIG_INVALID', {
        detail: `--stake ${amount} is not a multiple of ${unit / 1_000_000n} USDC`,
      })
    }
    const sender = createSender({ provider, privateKey })
    const send = async (to: Hex, abi: ConstructorParameters<typeof Interface>[0], name: string, args: unknown[]) => {
      const data = new Interface(abi).encodeFunctionData(name, args) as Hex
      await (await sender.send({ to, data })).wait()
    }
    await send(info.usdc.address, testUsdcAbi, 'approve', [contracts.StakeVault, atomic])
    await send(contracts.StakeVault, stakeVaultAbi, 'stake', [atomic / unit])
    const [owner] = (await vault.hotKey!(sender.address)) as [string]
    if (owner.toLowerCase() === sender.address) return
    const signer = createSigner(privateKey)
    const domain = { chainId: info.chainId, verifyingContract: contracts.ExecutionCoordinator }
    const proof = signer.sign(hashMessage(domain, 'HotKey', { owner: signer.address, key: signer.address }))
    await send(contracts.StakeVault, stakeVaultAbi, 'registerHotKey', [signer.address, proof])
  } finally {
    chain.close()
  }
}
