#!/usr/bin/env python3
"""Each check against an attack is what its test tests: with the check switched off, the test is red.

A row of the table names a check by its exact text, what stands there when it is off, and the test that must turn red.
Where several checks stand behind each other a row switches all of them off.
No row, because nothing is there that could be switched off: the subject and the extensions of a request for a certificate
(parse_csr answers its key and nothing else: TrustCertificates.TakeNothingFromTheSubjectAndExtensionsOfARequest).

usage: switched_off.py SOURCE_DIR --check              every text is in the tree exactly once, every test is there (seconds)
       switched_off.py SOURCE_DIR --run SCRATCH [ROW...]  prove it, in a copy of the tree that is made in SCRATCH or gone on with;
                                                       all rows, or those of these numbers
       switched_off.py --self-test                     prove that --check sees what it is to see

--run builds the parts and the test files that the rows need, once, then for each row what its change touches; with ccache half
a minute a row. Exit code 0: each test was green before and red with its check off.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# (attack, [(file, text of the check, what replaces it)...], test)
ROWS = [
    ("wrong key of a seal",
     [("common/trust/seal.cpp", "if (seal.key != key_id(public_key))", "if (false)"),
      ("common/trust/seal.cpp", "return verifier.verify(public_key, kSealPurpose, root, seal.signature);",
       "(void)verifier, (void)public_key; return {};")],
     "TrustHubsEventsOfSeals.AKeyThatNobodyKnows"),
    ("another device's seal",
     [("common/trust/seal.cpp", "if (seal.key != key_id(public_key))", "if (false)"),
      ("common/trust/seal.cpp", "return verifier.verify(public_key, kSealPurpose, root, seal.signature);",
       "(void)verifier, (void)public_key; return {};")],
     "TrustHubsEventsOfSeals.TheKeyOfAnotherDevice"),
    ("a board's Hello without a signature",
     [("hub/intake/greeting.cpp", "trust::bulk_verifier().verify(*key, trust::kAgentHelloPurpose, said(), hello.proof)",
       "(static_cast<void>(said()), true)")],
     "TrustBoardsHello.ThatIsNotSignedIsNotBelieved"),
    ("a board's Hello with another witness",
     [("hub/intake/greeting.cpp", "trust::bulk_verifier().verify(*key, trust::kAgentHelloPurpose, said(), hello.proof)",
       "(static_cast<void>(said()), true)")],
     "TrustBoardsHello.WhoseWitnessWasChangedIsNotBelieved"),
    ("a board that is revoked while its seal is checked",
     [("hub/intake/device_link_intake.cpp", "if (!standing_.is_heard(now)) {", "if (false) {"),
      ("hub/intake/sealed.cpp", "TRIBUTARY_TRY(ledger.catalog().members().check_believed(trust::key_id(*key), journal));", "")],
     "DeviceLinkWithALargeFile.IsNotTakenWhenItsBoardWasRevokedWhileTheSealWasChecked"),
    ("a board that is revoked while its versions are judged",
     [("hub/intake/device_link_intake.cpp", "if (offered.in_turns && !is_believed(now, offered)) return;", "")],
     "DeviceLinkOfOneBoard.TrustTakesNothingWhenItIsRevokedWhileItsVersionsAreJudged"),
    ("1 of 2 signatures",
     [("common/trust/seal.cpp", "if (counted.size() >= threshold) return {};", "if (!counted.empty()) return {};")],
     "TrustRoot.SignedByOneOfTwoIsRefused"),
    ("the same key twice",
     [("common/trust/seal.cpp", "std::set<Digest> counted;", "std::multiset<Digest> counted;")],
     "TrustRoot.SignedTwiceByOneKeyCountsOnce"),
    ("a root that was not promised",
     [("common/trust/root.cpp", "if (read.verified.digest != pinned)", "if (false)")],
     "TrustRoot.ThatWasNotPromisedIsRefused"),
    ("older root, at each power cut",
     [("common/trust/root.cpp", "if (next.version <= current.version)", "if (false)"),
      ("common/trust/root.cpp", "if (next.version - current.version > 1)", "if (false)")],
     "TrustKept.AnOlderRootIsNeverTakenWhereverThePowerWasCut"),
    ("a root that leaves one out",
     [("common/trust/root.cpp", "if (next.version - current.version > 1)", "if (false)")],
     "TrustRoot.ThatSkipsAVersionIsRefused"),
    ("a rotation that the old keys did not sign",
     [("common/trust/root.cpp", "TRIBUTARY_TRY(signed_by(verifier, current, read.document));", "")],
     "TrustRoot.OfNewKeysNeedsTheOldKeysAndTheNewOnes"),
    ("three rotations that a board missed",
     [("agent/trust/trust_keeper.cpp", "        root = std::move(next);\n", "")],
     "TrustKept.ARootThatWasRotatedThreeTimesWhileTheBoardWasAwayIsFollowed"),
    ("one of them by a key that the one before does not name",
     [("common/trust/root.cpp", "TRIBUTARY_TRY(signed_by(verifier, current, read.document));", "")],
     "TrustKept.ARootByAKeyThatTheOneBeforeDoesNotNameIsRefused"),
    ("replayed freshness",
     [("agent/sync/uplink.cpp", "return verifier_.verify(key, trust::kHelloPurpose, said, hello.proof).has_value();",
       "return !key.empty() || !said.is_none();")],
     "TrustHello.ThatAnsweredAnotherNonceIsNot"),
    ("a clock at 1970 or 2099",
     [("agent/trust/trust_keeper.cpp", "if (const auto proven = proven_now()) return std::max(*proven, state_.ratchet);",
       "if (proven_now()) return clock_.wall();")],
     "TrustKept.AClockAt2099OrAt1970ChangesNothingOfWhatTheHubSays"),
    ("the greatest number, then recovery",
     [("agent/update/engine.cpp", "state_.last_number = 0;", "")],
     "TrustInstall.AThiefsGreatestNumberAndLatestTimeEndWithHisKey"),
    ("a lower number",
     [("agent/update/engine.cpp", "if (assignment->number <= state_.last_number) {", "if (false) {")],
     "TrustInstall.ALowerNumberOfTheSameHubIsNotTaken"),
    ("an install before the hub proved itself",
     [("agent/trust/trust_keeper.cpp", "if (!session_)\n        return fail", "if (false)\n        return fail")],
     "TrustKept.NothingNewIsInstalledBeforeTheHubProvedItselfInThisSession"),
    ("another device's topic",
     [("common/sync/topics.cpp", "topic_of(parsed.device, parsed.direction) == topic)", "true)")],
     "Topics.RefusesEveryOtherSpelling"),
    ("another device's certificate",
     [("agent/trust/enrolment.cpp", "if (says->subject != device)", "if (false)")],
     "TrustBoardEnrolment.RefusesACertificateForAnotherDevice"),
    ("another device's entries",
     [("hub/intake/greeting.cpp", "if (owner == device_) return {};", "if (owner == device_ || true) return {};")],
     "DeviceLinkOfOneBoard.DeniesAJournalOfAnotherDevice"),
    ("a certificate of another authority",
     [("common/trust/certificate.cpp", "if (fault.empty()) return certificate;", "return certificate;")],
     "TrustCertificates.ByAnotherAuthorityAreDenied"),
    ("a token used twice",
     [("hub/enrol/enrolment.cpp", "if (token->state == Token::State::used) {", "if (false) {")],
     "TrustEnrolment.RefusesATokenThatAnotherBoardUsed"),
    ("an expired token",
     [("hub/enrol/enrolment.cpp", "if (token->expires <= now())", "if (false)")],
     "TrustEnrolment.RefusesATokenThatExpiredByItsOwnClock"),
    ("a token that was revoked",
     [("hub/enrol/enrolment.cpp", "if (token->state == Token::State::revoked)", "if (false)")],
     "TrustEnrolment.RefusesATokenThatWasRevoked"),
    ("a seal by the key before, after the change",
     [("hub/store/journal_keys.cpp", "in_force = body.public_key;", "")],
     "TrustDeviceLink.BelievesNoSealOfTheOldKeyAfterTheChange"),
    ("a token of another group",
     [("hub/enrol/enrolment.cpp", "TRIBUTARY_TRY(check_group(asker.request.group, token->group));", "")],
     "TrustEnrolment.RefusesATokenOfAnotherGroup"),
    ("a request with a stranger's key",
     [("common/trust/certificate.cpp", "if (X509_REQ_verify(request.get(), key.get()) != 1)", "if (false)")],
     "TrustCertificateRequest.WithAStrangersKeyIsDenied"),
    ("64 KiB of a request",
     [("common/trust/certificate.cpp", "if (der.size() > limits::kCsrBytesMax)", "if (false)")],
     "TrustCertificateRequest.LongerThanTheLimitIsNotReadAtAll"),
    ("a revoked certificate that renews",
     [("hub/enrol/enrolment.cpp", "if (device && catalog.members().revocation_of(request.journal))", "if (false)"),
      ("hub/enrol/enrolment.cpp", "if (auto believed = catalog.members().check_believed(its, journal); !believed)",
       "if (auto believed = catalog.members().check_believed(its, journal); !believed && false)")],
     "TrustRenewal.RefusesARevokedDevice"),
    ("an heir of a revoked key that comes to the door",
     [("hub/enrol/enrolment.cpp", "for (const Digest& its : {known, in_force})", "for (const Digest& its : {in_force, known == in_force ? known : in_force})")],
     "TrustUnheardChange.HelpsNoHeirOfARevokedKey"),
    ("a change of key at the door without the old key's word",
     [("common/trust/key_change.cpp", "body.by_old); !by_old)", "body.by_old); !by_old && false)")],
     "TrustUnheardChange.ThatTheOldKeyDidNotSignIsNotFollowed"),
    ("a change of key at the door without the new key's word",
     [("common/trust/key_change.cpp", "body.by_new);\n        !by_new)", "body.by_new);\n        !by_new && false)")],
     "TrustUnheardChange.ThatTheNewKeyDidNotSignIsNotFollowed"),
    ("a change of key at the door of another board",
     [("common/trust/key_change.cpp", "if (body.old_key != key_id(old_key))", "if (false)"),
      ("common/trust/key_change.cpp", "body.by_old); !by_old)", "body.by_old); !by_old && false)"),
      ("common/trust/key_change.cpp", "body.by_new);\n        !by_new)", "body.by_new);\n        !by_new && false)")],
     "TrustUnheardChange.OfAnotherBoardIsNotFollowed"),
    ("changes of key without end at the door",
     [("hub/enrol/door_requests.cpp", "if (changes.size() == sync::kHelloKeyChangesMax)", "if (false)")],
     "TrustDoorRequest.HoldsAsManyChangesOfKeyAsAHelloAndNoMore"),
    ("a further key before the hub has heard of the last change",
     [("agent/trust/key_succession.cpp", "if (before_present)", "if (false)")],
     "TrustKeySuccession.NoFurtherKeyTakesOverBeforeTheLastChangeIsReceipted"),
    ("an expired certificate, were its time looked at",
     [("hub/enrol/enrolment.cpp", "if (member.certificates.empty())",
       "if (member.certificates.empty() || member.certificates.back().not_after <= now())")],
     "TrustRenewal.GivesACertificateForANewKeyAlsoAfterTheOldOneExpired"),
    ("a certificate that expired, given again",
     [("hub/enrol/enrolment.cpp", "return held.not_after > now() && is_by(authority_, held);", "return is_by(authority_, held);")],
     "TrustUnheardChange.GetsACertificateForTheSameKeyOnceTheOneItHasIsWorthNothing"),
    ("a root document that the hub's journal says nothing of",
     [("hub/app/hub.cpp", "ledger_->catalog().root_followed().version < newest)", "newest == 0)")],
     "TrustDoor.OpensAfterTheJournalSaysWhichRootDocumentItGoesBy"),
    ("a folder of trust that is older than the journal",
     [("hub/deploy/deployment.cpp", "TRIBUTARY_TRY(check_goes_on_from(followed, roots));", "static_cast<void>(check_goes_on_from(followed, roots));")],
     "TrustFolder.OlderThanTheJournalIsRefusedAfterTheHubsKeyWasReplaced"),
    ("a folder of trust of before an authority was dropped",
     [("hub/deploy/deployment.cpp", "TRIBUTARY_TRY(check_goes_on_from(followed, roots));", "static_cast<void>(check_goes_on_from(followed, roots));")],
     "TrustFolder.OlderThanTheJournalIsRefusedAfterAnAuthorityWasDropped"),
    ("another root document of the version that the journal goes by",
     [("hub/deploy/deployment.cpp", "if (trust::root_digest(same.payload) != followed.root)", "if (false)")],
     "TrustFolder.WithAnotherDocumentOfTheSameVersionIsRefused"),
    ("a revoked device in its session",
     [("hub/intake/standing.cpp", "return ledger_.catalog().members().revocation_of(device_) != nullptr;", "return false;")],
     "TrustHubsEvents.ARevokedDeviceThatSpeaks"),
    ("junk in a board's name that quarantines it",
     [("hub/intake/standing.cpp", "return quarantine_.suspect(now, what) && set_aside(now);",
       "return offend(now, event, what);")],
     "DeviceLinkAndJunk.TrustOfTheBrokersQuarantinesNoBoard"),
    ("a key change without the old key's word",
     [("common/trust/key_change.cpp", "body.by_old); !by_old)", "body.by_old); !by_old && false)")],
     "TrustWrongKeyChange.ChangesNothingWithoutTheOldKeysWord"),
    ("a cloned card",
     [("hub/intake/offered_entries.cpp", "else if (!ledger.store().has({RecordKind::entry, entry.hash.digest}))",
       "else if (false)")],
     "DeviceLinkOfOneBoard.KeepsWhatItHoldsWhenAClonedCardSaysOtherThings"),
    ("a rewritten hub journal, as the hub sees it",
     [("hub/intake/history_check.cpp", "if (!held || *held == shown.hash) return std::string();",
       "if (!held || held) return std::string();")],
     "TrustHubsHistory.ThatWasRewrittenShows"),
    ("a rewritten hub journal, as a board sees it",
     [("agent/trust/trust_keeper.cpp", "TRIBUTARY_TRY(check_history(hello.epoch, hello.head));", "")],
     "TrustWitness.AHubThatShowsAnotherEntryThereIsNotBelieved"),
    ("a store with entries under no seal",
     [("hub/audit/audit.cpp", "if (reading.sealed < head.sequence)", "if (false)")],
     "TrustAudit.FindsABoardsEntryUnderNoSeal"),
    ("a leaf of another batch",
     [("common/trust/seal.cpp", "TRIBUTARY_TRY(verifier.verify(*key, purpose, covered, parsed.signature));",
       "(void)verifier;")],
     "TrustBatch.GivesNoLeafOfAnotherBatch"),
    ("a place that no batch has",
     [("common/record/document.cpp", "fields.require(document.leaf_count <= std::uint64_t{1} << kBatchPathMax);", ""),
      ("common/record/document.cpp", "fields.require(document.path.size() <= kBatchPathMax);", "")],
     "TrustBatch.IsNoneWithAPlaceThatNoBatchHas"),
    ("knocking without end at the door",
     [("hub/enrol/door_limits.cpp", "return ++count <= most;", "return ++count != 0 || most != 0;")],
     "TrustDoorLimits.GiveEachAddressSoManyTriesAMinute"),
    ("proofs that are looked at however many were in vain",
     [("hub/enrol/door_limits.cpp", "return has_had(tries_, address, now, kLooksAMinute);", "return has_had(tries_, address, now, UINT32_MAX);")],
     "TrustDoor.LooksAtNothingOfAnAddressThatKnocksWithoutEnd"),
    ("a board that is answered without end",
     [("hub/api/door.cpp", "tried.again = !limits.admit_answer(board, now);", "tried.again = !limits.admit_answer(board, now) && false;")],
     "TrustDoor.AnswersABoardThatIsKnownOrWaitsSoOftenAMinute"),
    ("a board that is answered no more, and written of",
     [("hub/enrol/enrolment.cpp", "if (!may_answer || may_answer(device)) return {};", "if (!may_answer || !device.empty()) return {};")],
     "TrustEnrolment.WritesNothingForADeviceThatIsNotAnswered"),
    ("new journals of one board without end",
     [("hub/enrol/enrolment.cpp", "if (static_cast<std::size_t>(lately) >= kJournalsADayMax)", "if (lately < 0)")],
     "TrustEnrolment.BindsSoManyNewJournalsOfADeviceADay"),
    ("fetches of one device that are looked at without end",
     [("hub/api/door.cpp", "if (limits.has_fetched_enough(", "if (false && limits.has_fetched_enough(")],
     "TrustDoor.LooksAtNoFetchOfADeviceThatHasHadItsObjects"),
    ("root documents without end",
     [("hub/enrol/door_limits.cpp", "return admit(roots_, address, now, kRootAnswersAMinute);",
       "static_cast<void>(admit(roots_, address, now, kRootAnswersAMinute)); return true;")],
     "TrustDoor.ShowsRootDocumentsSoOftenAMinuteToOneAddress"),
    ("changes of key that are looked at behind one that is not signed",
     [("hub/store/journal_keys.cpp", "if (!of_another && signature == Wrong::ends_it) break;", "static_cast<void>(signature), static_cast<void>(of_another);")],
     "TrustUnheardChange.IsNotLookedAtBehindOneThatIsNotSigned"),
    ("a certificate for the same key by a change that is none",
     [("hub/enrol/enrolment.cpp", "if (key == in_force && tells_of_change(request, in_force))",
       "if (key == in_force && !request.key_changes.empty())")],
     "TrustUnheardChange.ThatIsNoneBringsNoCertificateForTheSameKey"),
    ("a board that was replaced while its object was looked for",
     [("hub/api/door.cpp", "TRIBUTARY_TRY(hub.enrolment()->check_believed(fetch.by));", "")],
     "TrustDoorWithALongWalk.ServesNothingToABoardThatWasReplacedMeanwhile"),
    ("a board that was revoked while its object was looked for",
     [("hub/api/door.cpp", "TRIBUTARY_TRY(hub.enrolment()->check_believed(fetch.by));", "")],
     "TrustDoorWithALongWalk.ServesNothingToABoardThatWasRevokedMeanwhile"),
    ("an authority that is known by its name",
     [("hub/enrol/issuer_count.cpp", "keys.push_back(says ? says->key_identifier : Bytes());",
       "keys.push_back(says ? Bytes(says->subject.begin(), says->subject.end()) : Bytes());"),
      ("hub/store/members.cpp", "issuer_key = std::move(said->issuer_key_identifier);",
       "issuer_key.assign(said->issuer.begin(), said->issuer.end());")],
     "TrustIssuerCount.KnowsAnAuthorityByItsKeyAndNotByItsName"),
    ("a count that ends when all have renewed",
     [("hub/enrol/issuer_count.cpp", "timer_ = loop_.at(loop_.now() + kEveryMs, [this] { count(); });",
       "if (written_.to_renew() != 0) timer_ = loop_.at(loop_.now() + kEveryMs, [this] { count(); });")],
     "TrustIssuerCount.GoesOnAfterAllHaveRenewed"),
    ("tries of a whole IPv6 net",
     [("common/net/http_server.cpp", "std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});", "")],
     "TrustDoorLimits.TakeANetOfIpv6ForOneAndAnAddressOfIpv4ForItself"),
    ("a key that a revoked journal went over to by itself",
     [("hub/enrol/enrolment.cpp", "if (catalog.members().revocation_of(journal))", "if (false)")],
     "TrustRenewal.LetsNoKeyInThatARevokedJournalWentOverToByItself"),
    ("a list of the revoked that the disk did not take",
     [("hub/broker/broker_keeper.cpp", "if (!written) write_again();", "")],
     "BrokerAccessTest.WritesAgainWhatADiskDidNotTake"),
    ("one renewal more than a day has",
     [("hub/enrol/enrolment.cpp", ">= kRenewalsADayMax)", "> kRenewalsADayMax)")],
     "TrustRenewal.RefusesMoreThanSomeADay"),
    ("refusals that fill a journal",
     [("common/trust/event_throttle.cpp", "if (!may_write(now)) break;", "")],
     "TrustEventThrottle.WritesNoMoreADayThanItMayWhateverComes"),
    ("a server of another role",
     [("common/net/tls_context.cpp", "names_uri(X509_STORE_CTX_get0_cert(chain), role_)) return true;",
       "names_uri(X509_STORE_CTX_get0_cert(chain), role_) || true) return true;")],
     "HttpsTest.RefusesACertificateOfAnotherRole"),
    ("a stranger at the door who is asked for more than root documents",
     [("agent/app/daemon/hub_door.cpp", "return job.errand == Errand::root && why.code == Errc::denied && !job.request->trust.anyone;",
       "return why.code == Errc::denied && !job.request->trust.anyone;")],
     "TrustHubDoor.SendsAStrangerNoRequestForACertificate"),
    ("a stranger at the door who is asked whether the board is believed",
     [("agent/app/daemon/hub_door.cpp", "return job.errand == Errand::root && why.code == Errc::denied && !job.request->trust.anyone;",
       "return why.code == Errc::denied && !job.request->trust.anyone;")],
     "TrustHubDoor.SaysNothingElseToAStranger"),
    ("a root document of a stranger at the door",
     [("common/trust/root.cpp", "TRIBUTARY_TRY(signed_by(verifier, current, read.document));", "")],
     "TrustHubDoor.TakesNoRootOfAStrangersKeys"),
    ("a door that is not believed and of which nobody is told",
     [("agent/app/daemon/hub_door.cpp", "host_.refused(SecurityEvent::door_unproven, why.what);", "static_cast<void>(job);")],
     "TrustHubDoor.TellsOfADoorThatIsNotBelievedAndShowsNothingNew"),
    ("a root document that is refused and of which nobody is told",
     [("agent/app/daemon/hub_door.cpp", "host_.refused(SecurityEvent::root_refused, why.what);", "static_cast<void>(job);")],
     "TrustHubDoor.TakesNoRootOfAStrangersKeysFromItsOwnDoorEither"),
    ("a certificate of an authority that went, of a board whose key may not change",
     [("agent/app/daemon/hub_door.cpp", "job.same_key = host_.keys.former.has_value();", "job.same_key = false;")],
     "TrustHubDoor.AsksForTheKeyThatItHasWhileTheLastChangeIsNotReceipted"),
    ("a board that does not renew once more when another authority goes on the same day",
     [("agent/app/daemon/hub_door.cpp", "if (job->hastened) {", "if (false) {")],
     "TrustHubDoor.RenewsOnceMoreWhenThatOneGoesOnTheSameDay"),
    ("a certificate of an authority that goes, kept before a power cut",
     [("agent/app/daemon/hub_door.cpp", "trust::verify_certificate(next.certificate, named.last(1), trust::CertificateUse::client)",
       "trust::verify_certificate(next.certificate, named, trust::CertificateUse::client)")],
     "TrustHubDoorAfterAPowerCut.AsksOnceMoreWhenAnotherAuthorityTookOver"),
    ("a certificate that expired, kept before a power cut",
     [("agent/app/daemon/hub_door.cpp", "return next.says && next.says->is_valid_at(trust.now()) &&", "return next.says &&")],
     "TrustHubDoorAfterAPowerCut.AsksOnceMoreWhenItExpired"),
    ("a board that does not ask for the door's role",
     [("agent/trust/enrolment.cpp", "if (config.hub.ca.empty()) config.hub.role = trust::kDoorRole;", "")],
     "TrustAsEnrolled.BelievesTheCertificateOfADoorAlone"),
    ("the old certificate of a board that was replaced",
     [("hub/broker/broker_keeper.cpp",
       "TRIBUTARY_TRY(replace_file(files_, options_.list_path, as_bytes(text), Readers::group));", "")],
     "TrustAtTheBroker.RefusesTheOldCertificateOfABoardThatWasReplaced"),
    ("another's client id",
     [("hub/deploy/mosquitto_conf.cpp", '"use_identity_as_username true\\n"\n           "use_username_as_clientid true\\n"',
       '"use_identity_as_username true\\n"')],
     "TrustAtTheBroker.WhoClaimsAnothersClientIdPushesNobodyOut"),
    ("another device's topic, at the broker",
     [("hub/broker/acl.cpp", "pattern write tributary/1/+/%u/up", "pattern write tributary/1/+/+/up")],
     "TrustAtTheBroker.LetsADeviceSpeakOnItsOwnTopicsAlone"),
    ("a list of the revoked that a restored hub does not write",
     [("hub/app/hub.cpp", "secured_->broker->deny({members.revoked(), members.revoked_serials()}); !told)",
       "secured_->broker->deny({{}, {}}); !told && members.revoked().empty())")],
     "TrustDoor.ShutsARevokedBoardOutAtTheBrokerAgainAfterARestoreIntoAnEmptyPlace"),
    ("objects of another's versions",
     [("hub/enrol/fetch_scope.cpp", "if (!catalog.may_read(device, *held)) return refuse(true);", "")],
     "TrustFetchScope.IsABoardsOwnVersionsAlone"),
    ("objects that a version does not need",
     [("hub/enrol/fetch_scope.cpp", "question.answer(walked ? Verdict{tl::make_unexpected(question.not_there), true}",
       "question.answer(walked ? Verdict{}"),
      ("hub/enrol/fetch_scope.cpp", "return needed ? question.answer({}) : refuse(true);",
       "return static_cast<void>(needed), question.answer({});")],
     "TrustFetchScope.IsABoardsOwnVersionsAlone"),
    ("a walk that holds the loop",
     [("hub/store/version_names.cpp", "records > 0 && !is_over()", "!is_over()")],
     "TrustFetchScope.IsLookedForBesideOtherWork"),
    ("what another board sent, told to be held",
     [("hub/intake/device_link_intake.cpp", "const bool may = readable_.contains(key);", "const bool may = true;")],
     "TrustHeldHere.WhatAnotherBoardSentIsAskedForAndStoredOnce"),
    ("a base that another board sent, told to be held",
     [("hub/intake/device_link_intake.cpp", "const bool may = readable_.contains(key);", "const bool may = true;")],
     "TrustHeldHere.ABaseThatAnotherBoardSentIsNone"),
    ("an answer that takes longer when others have what is offered",
     [("hub/intake/device_link_intake.cpp", "looks = looks || (!may && !readable_.has_looked());",
       "looks = looks || (!may && store.has(key) && !readable_.has_looked());")],
     "TrustHeldHere.HowLongAnAnswerTakesDoesNotTellWhetherOthersHaveWhatIsOffered"),
    ("a statement that takes longer when others have what it names",
     [("hub/intake/beyond_search.cpp", "return sent_whole || readable_.contains(key) ? Status() : stop_at(key);",
       "return static_cast<void>(sent_whole), Status();")],
     "TrustHeldHere.HowLongAStatementTakesDoesNotTellWhetherOthersHaveWhatItNames"),
    ("a statement that takes longer when others cut its files otherwise",
     [("common/store/closure.cpp", "if (enter_) return enter_(recipe_key, item.size);",
       "if (enter_) TRIBUTARY_TRY(enter_(recipe_key, item.size));")],
     "TrustHeldHere.HowLongAStatementTakesDoesNotTellHowOthersCutItsFiles"),
    ("a look at what is a board's own that takes longer when others cut it otherwise",
     [("hub/intake/readable.cpp", "VersionNames::Pace::even", "VersionNames::Pace::swift")],
     "TrustHeldHere.HowLongItsOwnIsLookedThroughDoesNotTellHowOthersCutIt"),
    ("a commit that takes longer when others cut its files otherwise",
     [("hub/store/judging.cpp", "ClosureWalk::Pieces::by_recipe", "ClosureWalk::Pieces::named")],
     "TrustHeldHere.HowLongAStatementTakesDoesNotTellHowOthersCutItsFiles"),
    ("junk under a digest that is held",
     [("hub/intake/device_link_intake.cpp", "receive(incoming->frame, IfHeld::check)", "receive(incoming->frame, IfHeld::skip)")],
     "TrustHeldHere.JunkUnderAKnownDigestIsRefusedAsUnderAnyOther"),
    ("a board's version that passes for the hub's",
     [("hub/store/judging.cpp", "if (author.is_none() || catalog_.is_own(author))", "if (static_cast<void>(author), false)")],
     "DeviceLinkOfOneBoard.TrustTakesNoVersionThatPassesForOneOfTheHubs"),
    ("a version that names what its board never had",
     [("hub/intake/device_link_intake.cpp", "if (const auto& beyond = incoming.beyond->beyond()) {",
       "if (const std::optional<RecordKey> beyond; beyond) {")],
     "TrustHeldHere.AVersionThatNamesWhatItsBoardNeverHadIsNotTaken"),
    ("a version of another's directory",
     [("hub/intake/device_link_intake.cpp", "if (const auto& beyond = incoming.beyond->beyond()) {",
       "if (const std::optional<RecordKey> beyond; beyond) {")],
     "TrustHeldHere.AVersionOfAnothersDirectoryIsNotTaken"),
    ("a version that names a file before anybody sent it",
     [("hub/intake/beyond_search.cpp", "return sent_whole || readable_.contains(key) ? Status() : stop_at(key);",
       "return sent_whole || key.kind == RecordKind::recipe || readable_.contains(key) ? Status() : stop_at(key);")],
     "TrustHeldHere.AVersionThatNamesAFileBeforeAnybodySentItIsNeverTaken"),
    ("a version that names a conflict before anybody sent it",
     [("hub/intake/beyond_search.cpp", "input.role == lineage::kConflictRole && !readable_.contains(key))", "false)")],
     "TrustHeldHere.AVersionThatNamesAConflictThatIsNotItsOwnIsNotTaken"),
    ("a refusal that tells what others have",
     [("hub/intake/device_link_intake.cpp", "tell_lacking(now, outcome);",
       "for (auto& item : outcome.refused)\n        if (lacking_.contains(item.name)) item.reason = lacking_.at(item.name).name.text();\n    "
       "tell_lacking(now, outcome);")],
     "TrustHeldHere.WhyAVersionIsNotTakenIsTheSameWhetherOthersHaveWhatItNames"),
    ("a record that tells whether the base it names is here",
     [("hub/intake/device_link_intake.cpp", "if (!readable_.contains({header.kind, base}))", "if (base.is_none())")],
     "TrustHeldHere.ARecordOnABaseOfOthersSaysNothing"),
    ("a push coded on what its board says it runs, and may not read",
     [("hub/store/catalog_questions.cpp", "return held && may_read(device, *held) ? state.running : VersionId();",
       "return static_cast<void>(held), static_cast<void>(device), state.running;")],
     "DeviceLinkWithAnAssignment.TrustCodesNothingOnWhatItsBoardSaysItRunsAndMayNotRead"),
    ("a board that assigns a version to itself",
     [("hub/store/catalog.cpp", "if (owner == device_of_.end() || body.state == kAssigned) return;", "if (owner == device_of_.end()) return;")],
     "DeviceLinkWithAnAssignment.TrustSendsNoneThatItsBoardAssignsToItself"),
    ("a recipe that tells which pieces are here",
     [("hub/intake/device_link_intake.cpp", "if (can_be_read && incoming.may_read != recipe->pieces.size()) return {};", "")],
     "TrustHeldHere.ARecipeOfPiecesOfOthersSaysNothing"),
    ("fetching without end",
     [("hub/enrol/door_limits.cpp", "return has_had(fetches_, device, now, kFetchesAMinute);",
       "return has_had(fetches_, device, now, UINT32_MAX);")],
     "TrustDoorLimits.GiveEachDeviceSoManyObjectsAMinute"),
    ("strangers who use up the tries of a site",
     [("hub/api/door.cpp", "if (tried.board.empty() || tried.again) limits.admit(client, now);", "limits.admit(client, now);"),
      ("hub/api/door.cpp", "if (!tried.board.empty() || !tried.spent)", "if (!tried.spent)")],
     "TrustDoor.LetsBoardsInThatProveThemselvesWhoeverKnocksAtTheirAddress"),
    ("a hub's key that the root does not name",
     [("agent/trust/enrolment.cpp", "if (std::find(hub_keys.begin(), hub_keys.end(), answer->hub_key) == hub_keys.end())",
       "if (hub_keys.empty())")],
     "TrustBoardEnrolment.RefusesAHubKeyThatTheRootDoesNotName"),
    ("a hub that goes on in an earlier epoch",
     [("agent/trust/trust_keeper.cpp", "if (epoch < told_.epoch)", "if (false)")],
     "TrustWitness.AHubThatGoesOnInAnEarlierEpochIsNotBelieved"),
    ("an old Hello of a board, said again by the broker",
     [("common/sync/conversation.cpp", "hello.answers != 0 && hello.answers == boot_said(nonce) && !copy", "hello.answers != 0 && !copy"),
      ("common/sync/conversation.cpp", "caller_->proves && caller_->boot == caller_->hello.answers", "caller_->proves"),
      ("common/sync/conversation.cpp", "if (!caller.proves || caller.boot != caller.hello.answers) return;",
       "if (!caller.proves) return;")],
     "TrustBoardsHello.AnOldOneOpensNothingAtAHubThatHasStartedAnewEither"),
    ("strangers who hold all connections of the door",
     [("common/net/http_server.cpp", "if (!is_full() || make_room()) {", "if (!is_full()) {")],
     "HttpTest.LetsAFleetThroughWhileAStrangerHoldsConnections"),
    ("data without end",
     [("common/net/http_client.cpp", "bytes.size() > request_.body_bytes_max - answer_.body.size()",
       "answer_.body.size() > 64'000'000")],
     "AgainstPeer.TheClientRefusesAnEndlessBody"),
    ("a slow trickle",
     [("common/net/http_client.cpp", "void expire() { stream_.tcp().expires_after(std::chrono::milliseconds(request_.timeout_ms)); }",
       "void expire() { stream_.tcp().expires_after(std::chrono::seconds(60)); }")],
     "AgainstPeer.TheClientGivesUpOnATrickledHeadOrBody"),
    ("a restart that begins the day anew",
     [("common/trust/event_throttle.cpp", "lane.due = std::max(lane.due, now + (kEveryMs - age_ms));", "(void)lane;")],
     "TrustBoardsEvents.AFloodIsTwoEntriesADayAlsoOverRestarts"),
    ("an authority whose key is elsewhere",
     [("hub/deploy/authorities.cpp", "if (made.held_.empty())", "if (false)")],
     "TrustAuthority.ThatIsNotHereIsNotPublished"),
    ("boards get certificates of the authority that goes",
     [("hub/deploy/authorities.h", "trust::Authority& issuing() { return held_.back(); }",
       "trust::Authority& issuing() { return held_.front(); }")],
     "TrustAuthority.ThatTakesOverIssuesWhileTheOtherVouches"),
    ("the key of an authority that was dropped stays",
     [("hub/deploy/authorities.cpp", "if (authorities.next_takes_over())", "if (false)")],
     "TrustAuthority.VouchesAloneOnceTheOtherIsDropped"),
    ("a certificate of a stranger, replaced by ours",
     [("hub/deploy/papers.cpp", "if (!shown || !shown->is_by(ours)) return {};", "if (!shown || ours.empty()) return {};")],
     "TrustAuthority.LeavesCertificatesThatSomebodyElseIssued"),
    ("keys of servers that outlive their authority",
     [("hub/deploy/papers.cpp", "TRIBUTARY_TRY(files_.rename(paper.next_key(), paper.key()));",
       "if (of_now) TRIBUTARY_TRY(files_.rename(paper.next_key(), paper.key()));")],
     "TrustAuthority.VouchesAloneOnceTheOtherIsDropped"),
    ("keys of servers of an earlier try",
     [("hub/deploy/papers.cpp", "if (files.stat(paper.next_key()))", "if (false)")],
     "TrustServerKeys.OfAnEarlierTryAreNotTakenForNewOnes"),
    ("an authority of two without a list of the revoked",
     [("hub/deploy/authorities.cpp", "for (trust::Authority& authority : held_) {",
       "for (trust::Authority& authority : std::span(held_).last(1)) {")],
     "TrustAuthority.SignsAListOfTheRevokedOfItsOwn"),
    ("the key of an earlier draft of an authority",
     [("hub/deploy/authorities.cpp", "if (files.stat(path))", "if (false)")],
     "TrustAuthority.OfAnEarlierDraftIsNotTakenForANewOne"),
    ("an authority that is dropped though it is the only one",
     [("hub/deploy/root_draft.cpp", "if (drops && named < 2)", "if (false)")],
     "TrustAuthority.IsNeitherTheLastToGoNorTheThirdToCome"),
    ("a board that nobody knows to have renewed counts as renewed",
     [("hub/enrol/issuer_count.cpp", "key ? member->certificate_of(trust::key_id(*key)) : nullptr;",
       "key ? &member->certificates.back() : nullptr;")],
     "TrustIssuerCount.IsByTheCertificateOfTheKeyThatIsInForce"),
    ("an answer that was lost, by an authority that went",
     [("hub/enrol/enrolment.cpp", "return held.not_after > now() && is_by(authority_, held);", "return held.not_after > now();")],
     "TrustIssuerCount.AnAnswerThatWasLostIsGivenAnewByTheAuthorityOfNow"),
    ("a token that pins an authority which the door does not show",
     [("hub/enrol/decisions.cpp", "options_.door_authority.is_none() ? sha256(authority_.certificate())",
       "true ? sha256(authority_.certificate())")],
     "TrustIssuerCount.TokensPinTheAuthorityOfTheDoor"),
    ("a board that goes on with a certificate of an authority that goes",
     [("agent/trust/trust_keeper.cpp", "if (issued_by(named.last(1))) return false;", "if (issued_by(named) || true) return false;")],
     "TrustAuthorityThatGoes.LetsABoardRenewWithinADay"),
    ("all boards that renew at one moment",
     [("agent/trust/trust_keeper.cpp", "at.ms += moment % kHastenedMs;", "at.ms += 0 * moment;")],
     "TrustAuthorityThatGoes.LetsEachBoardRenewAtItsOwnMoment"),
    ("an assignment that stays signed by a key that was dropped",
     [("hub/registry/registry.cpp", "if (state.state != kAssigned || !is_heard(id, device)) continue;",
       "if (!state.state.empty() || !is_heard(id, device)) continue;")],
     "RegistryOfAnotherKey.TrustSignsAnewWhatNobodyAnsweredYet"),
    ("an assignment that is signed anew without approvals",
     [("hub/registry/registry.cpp", """if (approvals.empty() || approvals.size() < approvals_needed_)
        return fail(Errc::denied, "the approvers""", """if (approvals.empty()) return assignment;
    if (approvals.size() < approvals_needed_)
        return fail(Errc::denied, "the approvers""")],
     "RegistryOfAnotherKey.TrustSignsNothingAnewThatTheApproversOfNowDidNotApprove"),
    ("a document signed anew that says other than the journal",
     [("hub/registry/registry.cpp", """if (assignment.device != device || assignment.model != model ||
        assignment.number != state.number || assignment.version != state.wanted)""", "if (device.empty() || model.empty())")],
     "RegistryOfAnotherKey.TrustSignsNoDocumentAnewThatSaysOtherThanTheJournal"),
    ("an assignment by a key that was dropped, sent for ever",
     [("hub/intake/device_link.cpp", "if (outer.key != trust::key_id(ledger_.signer().public_key()))", "if (false)")],
     "DeviceLinkWithAnAssignment.TrustSendsNoneThatAKeySignedThatTheHubHasNoMore"),
    ("a journal under a hub key that was dropped",
     [("hub/audit/audit.cpp", "if (reading.foreign || holds(now_.hub_keys, reading.key)) return;",
       "if (reading.foreign || !reading.foreign) return;")],
     "TrustAuditOfTwoRoots.FindsAJournalUnderAHubKeyThatWasDropped"),
    ("the same, only begun",
     [("hub/audit/audit.cpp", "if (last.head.sequence == 1) check_hub_key(last, 1);", "(void)last;")],
     "TrustAuditOfTwoRoots.FindsAJournalThatWasOnlyBegunUnderAKeyThatWasDropped"),
    ("a journal of the hub beside another",
     [("hub/audit/audit.cpp", "if (start.continues != before.head.incarnation)", "if (false)")],
     "TrustAuditOfTwoRoots.FindsAJournalBesideTheOneThatTookOver"),
    ("a history that ends under a key that was dropped",
     [("hub/audit/audit.cpp", "if (followed_ >= newest || roots_.size() == 1) return;", "if (newest != 0) return;")],
     "TrustAuditOfTwoRoots.FindsThatTheHistoryEndsUnderTheKeyThatWasDropped"),
    ("an assignment by a hub key that was dropped",
     [("hub/audit/audit.cpp", "trust::verify_document(trust::bulk_verifier(), now_.hub_keys,",
       "trust::verify_document(trust::bulk_verifier(), ever_.hub_keys,")],
     "TrustAuditOfTwoRoots.FindsAnAssignmentByAHubKeyThatWasDropped"),
    ("an approval by an approver who was dropped",
     [("hub/audit/audit.cpp", "trust::verify_document(trust::bulk_verifier(), now_.approvers,",
       "trust::verify_document(trust::bulk_verifier(), ever_.approvers,")],
     "TrustAuditOfTwoRoots.FindsAnApprovalByAnApproverWhoWasDropped"),
    ("an assignment that a dropped approver approved",
     [("hub/audit/audit.cpp", "now_.approvers, [&](const Bytes& key)", "ever_.approvers, [&](const Bytes& key)")],
     "TrustAuditOfTwoRoots.FindsAnAssignmentThatOnlyADroppedApproverApproved"),
    ("a certificate of an authority that was dropped",
     [("hub/audit/audit.cpp", "trust::verify_certificate(certified.certificate, now_.authorities,",
       "trust::verify_certificate(certified.certificate, ever_.authorities,")],
     "TrustAuditOfTwoRoots.FindsACertificateOfAnAuthorityThatWasDropped"),
    ("an earlier root document that is taken up again",
     [("hub/audit/audit.cpp", "if (followed.version <= followed_)", "if (false)")],
     "TrustAuditOfTwoRoots.FindsThatAnEarlierRootWasTakenUpAgain"),
    ("a root document that is taken up and is not the one that was signed",
     [("hub/audit/audit.cpp", "if (root.digest != followed.root)", "if (false)")],
     "TrustAuditOfTwoRoots.FindsARootThatIsNotTheOneThatWasHandedIn"),
    ("a receipt that is not the hub's",
     [("hub/audit/receipts.cpp", """trust::verify_document(trust::bulk_verifier(), ever_.hub_keys,
                                                trust::kReceiptPurpose, plain)""", "parse_signed_document(plain)")],
     "TrustAuditOfABoard.FindsAReceiptThatIsNotTheHubs"),
    ("a receipt about another history",
     [("hub/audit/receipts.cpp", "if (receipt.sequence != 0) {", "if (false) {")],
     "TrustAuditOfABoard.FindsAReceiptOfEntriesThatAreNotThere"),
    ("a receipt by a hub key that was dropped",
     [("hub/audit/receipts.cpp", "last_root_of(key) < first_root_of(other) &&", "key == other && last_root_of(key) < first_root_of(other) &&")],
     "TrustAuditOfABoard.FindsAReceiptByAHubKeyThatWasDropped"),
]

CASE = re.compile(r"^TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)


# Folder of tests → their program, and what runs beside it.
PROGRAMS = {"tests/unit": ("unit_tests", []), "tests/integration": ("integration_tests", ["bin/tributary-hub"])}


def test_files(root):
    """Test → file, of all unit and integration tests."""
    return {f"{suite}.{case}": path for folder in PROGRAMS for path in sorted((root / folder).rglob("*.cpp"))
            for suite, case in CASE.findall(path.read_text())}


def faults(root, rows):
    tests = test_files(root)
    found = []
    for attack, changes, test in rows:
        for file, text, replacement in changes:
            path = root / file
            count = path.read_text().count(text) if path.is_file() else 0
            if count != 1:
                found.append(f"{attack}: {file} has its check {count} times: {text}")
            if text == replacement:
                found.append(f"{attack}: nothing is switched off in {file}")
        if test not in tests:
            found.append(f"{attack}: {test} is no test")
    return found


class Failed(Exception):
    pass


class Scratch:
    def __init__(self, source, scratch, rows):
        self.root, self.rows = scratch, rows
        self.build_dir = scratch / "build/dev"
        files = subprocess.run(["git", "-C", source, "ls-files", "-co", "--exclude-standard", "-z"], check=True,
                               capture_output=True).stdout.decode().split("\0")
        for file in filter(None, files):
            content = (source / file).read_bytes() if (source / file).is_file() else None
            there = scratch / file
            if content is None or there.is_file() and there.read_bytes() == content:
                continue
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / file, there)
        self.run(["cmake", "--preset", "dev"])
        tests = test_files(scratch)
        self.programs = {}  # folder → its objects, how they are linked, the parts they need
        for folder in PROGRAMS:
            files = {tests[test].relative_to(scratch / folder) for _, _, test in rows if tests[test].is_relative_to(scratch / folder)}
            if files:
                self.programs[folder] = self.program(folder, files)
        self.folder_of = {test: folder for _, _, test in rows for folder in self.programs if tests[test].is_relative_to(scratch / folder)}

    def program(self, folder, files):
        """Of the test program only what the rows need."""
        name, beside = PROGRAMS[folder]
        objects = sorted(f"{folder}/CMakeFiles/{name}.dir/{file}.o" for file in files)
        command = self.run(["ninja", "-C", "build/dev", "-t", "commands", f"bin/{name}"]).splitlines()[-1]
        link = next(part for part in command.split(" && ") if f" -o bin/{name}" in part).split()
        link = [word for word in link if not word.endswith(".cpp.o") or word in objects]
        link[link.index("-o") + 1] = self.binary(folder)
        parts = sorted({word for word in link if word.endswith(".a") and not word.startswith("/")})
        return objects, link, parts + beside

    @staticmethod
    def binary(folder):
        return f"bin/switched_off_{PROGRAMS[folder][0]}"

    def run(self, command, may_fail=False, where=None):
        done = subprocess.run(command, cwd=where or self.root, capture_output=True, text=True)
        if done.returncode != 0 and not may_fail:
            raise Failed(f"{' '.join(map(str, command[:6]))} ...:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout if not may_fail else done

    def build(self):
        targets = {target for objects, _, parts in self.programs.values() for target in objects + parts}
        self.run(["nice", "ninja", "-C", "build/dev", "-j2", *sorted(targets)])
        for _, link, _ in self.programs.values():
            self.run(link, where=self.build_dir)

    def is_green(self, test):
        done = self.run([self.binary(self.folder_of[test]), f"--gtest_filter={test}"], may_fail=True, where=self.build_dir)
        said = "[  PASSED  ] 1 test." if done.returncode == 0 else f"[  FAILED  ] {test}"
        if said not in done.stdout:  # it did not run, or the program broke: that proves nothing
            raise SystemExit(f"{test} ended with {done.returncode} and said:\n{done.stdout[-1000:]}")
        return done.returncode == 0

    def prove(self, row):
        """None, or what is wrong."""
        attack, changes, test = row
        if not self.is_green(test):
            return f"{test} is red although nothing is switched off"
        before = {}
        try:
            for file, text, replacement in changes:
                path = self.root / file
                before.setdefault(path, path.read_text())
                path.write_text(path.read_text().replace(text, replacement))
            self.build()
            return f"{test} is green with its check off" if self.is_green(test) else None
        except Failed as failed:
            return f"it does not build: {failed}"
        finally:
            for path, text in before.items():
                path.write_text(text)


def self_test():
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / "tests/unit").mkdir(parents=True)
        (root / "tests/unit/a.cpp").write_text("TEST(Suite, Case) {\n")
        (root / "a.cpp").write_text("if (wrong) return; if (twice) x; if (twice) y;\n")
        good = ("good", [("a.cpp", "if (wrong)", "if (false)")], "Suite.Case")
        bad = [("gone", [("a.cpp", "if (gone)", "")], "Suite.Case"), ("twice", [("a.cpp", "if (twice)", "")], "Suite.Case"),
               ("no file", [("b.cpp", "x", "")], "Suite.Case"), ("no test", good[1], "Suite.Other"),
               ("not off", [("a.cpp", "if (wrong)", "if (wrong)")], "Suite.Case")]
        unseen = [row[0] for row in bad if not faults(root, [row])]
        if unseen or faults(root, [good]):
            print(f"not seen: {unseen}; of what is good: {faults(root, [good])}")
            return 1
    return 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if not (sys.argv[2:] == ["--check"] or sys.argv[2:3] == ["--run"] and len(sys.argv) > 3):
        print(__doc__)
        return 2
    source = Path(sys.argv[1]).resolve()
    chosen = [int(word) for word in sys.argv[4:]] or range(1, len(ROWS) + 1)
    found = faults(source, [ROWS[number - 1] for number in chosen])
    if sys.argv[2] == "--run" and not found:
        scratch = Scratch(source, Path(sys.argv[3]).resolve(), [ROWS[number - 1] for number in chosen])
        scratch.build()
        for number in chosen:
            fault = scratch.prove(ROWS[number - 1])
            print(f"{number:3} {'WRONG' if fault else 'red  '} {ROWS[number - 1][0]}{': ' + fault if fault else ''}", flush=True)
            found += [fault] if fault else []
            scratch.build()
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
