// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {BodyTree} from "../src/libraries/BodyTree.sol";
import {MerkleSum, SumProof} from "../src/libraries/MerkleSum.sol";
import {
    Acceptance,
    Access,
    Assignment,
    AuditAttestation,
    BatchHeader,
    Deployment,
    FunctionSpec,
    HotKey,
    Messages,
    Receipt,
    Request
} from "../src/libraries/Messages.sol";

/// @notice Opens the libraries to contracts/src/vectors.test.ts, which holds them against their TypeScript twins.
contract VectorHarness {
    bytes32 private immutable _domain;

    constructor(uint256 chainId, address coordinator) {
        _domain = Messages.domainSeparator(chainId, coordinator);
    }

    function digestDeployment(Deployment calldata m) external view returns (bytes32) {
        return _digest(Messages.structHash(m));
    }

    function digestRequest(Request calldata m) external view returns (bytes32) {
        return _digest(Messages.structHash(m));
    }

    function digestAssignment(Assignment calldata m) external view returns (bytes32) {
        return _digest(Messages.structHash(m));
    }

    function digestReceipt(Receipt calldata m) external view returns (bytes32) {
        return _digest(Messages.structHash(m));
    }

    function digestAcceptance(Acceptance calldata m) external view returns (bytes32) {
        return _digest(Messages.structHash(m));
    }

    function digestHotKey(HotKey calldata m) external view returns (bytes32) {
        return _digest(Messages.structHash(m));
    }

    function digestAccess(Access calldata m) external view returns (bytes32) {
        return _digest(Messages.structHash(m));
    }

    function digestAuditAttestation(AuditAttestation calldata m) external view returns (bytes32) {
        return _digest(Messages.structHash(m));
    }

    function recover(bytes32 digest, bytes calldata signature) external pure returns (address) {
        return ECDSA.recoverCalldata(digest, signature);
    }

    function serviceId(address owner, string calldata project, string calldata name) external pure returns (bytes32) {
        return Messages.serviceId(owner, project, name);
    }

    function commitment(FunctionSpec calldata spec) external pure returns (bytes32) {
        return Messages.commitment(spec);
    }

    function specsHash(FunctionSpec[] calldata specs) external pure returns (bytes32) {
        return Messages.specsHash(specs);
    }

    function headerHash(BatchHeader calldata header) external pure returns (bytes32) {
        return Messages.headerHash(header);
    }

    function resultCommit(bytes32 resultHash, bytes32 salt, address worker) external pure returns (bytes32) {
        return Messages.resultCommit(resultHash, salt, worker);
    }

    function paymentRefOfAuthorization(address asset, address payer, bytes32 nonce) external pure returns (bytes32) {
        return Messages.paymentRef(asset, payer, nonce);
    }

    function paymentRefOfChannel(bytes32 channelId, uint256 cumulative) external pure returns (bytes32) {
        return Messages.paymentRef(channelId, cumulative);
    }

    function bodyRoot(bytes calldata body) external pure returns (bytes32) {
        return BodyTree.root(body);
    }

    function receiptRoot(bytes32 key, bytes32 paymentRef, uint96 weight, SumProof calldata proof)
        external
        pure
        returns (bytes32 root, uint96 sum)
    {
        return MerkleSum.process(MerkleSum.receiptLeaf(key, paymentRef, weight), weight, proof);
    }

    function earningsRoot(address worker, uint96 cumulative, SumProof calldata proof)
        external
        pure
        returns (bytes32 root, uint96 sum)
    {
        return MerkleSum.process(MerkleSum.earningsLeaf(worker, cumulative), cumulative, proof);
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(_domain, structHash);
    }
}
