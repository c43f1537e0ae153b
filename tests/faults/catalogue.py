"""The catalogue of faults of an API server, and of what stands before it, with the tests of each; test_catalogue holds it.

A test is named as pytest names it, without its parameters. Of those with a sin in the table of sins, at least one is in
this folder. Those about starting, stopping and the snapshot are mostly tested where these are.
"""

from typing import Final

WATCHES: Final = "tests/faults/test_watches.py::test_"
GAPS: Final = "tests/faults/test_gaps.py::test_"
REFUSALS: Final = "tests/faults/test_refusals.py::test_"
IMPORTS: Final = "tests/faults/test_imports.py::test_"
STARTS: Final = "tests/faults/test_starts.py::test_"
READINESS: Final = "tests/faults/test_readiness.py::test_"
OBJECTS: Final = "tests/faults/test_objects.py::test_"
REFLECTOR: Final = "tests/cluster/test_reflector_faults.py::test_"
WIRE: Final = "tests/sources/test_wire.py::test_"
OUTAGES: Final = "tests/integration/test_outages.py::test_"
AUDITS: Final = "tests/integration/test_audits.py::test_"
API: Final = "tests/integration/test_api.py::test_"
SNAPSHOT: Final = "tests/integration/test_snapshot.py::test_"
LAST_KNOWN: Final = "tests/controller/test_lastknown.py::test_"
FILE: Final = "tests/sources/test_snapshot.py::test_"
SAVER: Final = "tests/sources/test_saver.py::test_"
FEED: Final = "tests/controller/test_feed.py::test_"
EXPIRED: Final = f"{WATCHES}a_history_that_was_compacted_is_listed_anew_and_the_old_state_served_until_then"

CATALOGUE: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "K01": (
        "no API server at the start",
        (
            f"{SNAPSHOT}without_an_api_server_at_the_start_the_last_state_is_served_and_says_so",
            f"{SNAPSHOT}who_is_not_to_be_ready_by_a_snapshot_is_not",
            f"{LAST_KNOWN}where_the_api_server_cannot_be_reached_it_is_given_at_once",
            f"{OUTAGES}without_an_api_server_at_the_start_nothing_is_denied_until_it_comes",
        ),
    ),
    "K02": (
        "an API server that goes away",
        (
            f"{STARTS}a_server_that_is_away_for_half_an_hour_leaves_all_as_it_was_and_its_age_is_told",
            f"{READINESS}a_server_that_is_away_for_longer_than_the_limit_makes_it_unready_and_its_return_ready",
            f"{OUTAGES}while_the_api_server_is_away_the_last_state_is_served",
        ),
    ),
    "K03": (
        "an API server that restarts",
        (
            f"{STARTS}a_server_that_comes_back_is_followed_from_where_it_was_and_not_listed",
            f"{REFLECTOR}not_all_list_again_at_once",
            f"{API}a_killed_api_server_is_found_again_and_nothing_of_the_gap_is_missed",
        ),
    ),
    "K04": (
        "a list that takes long",
        (
            f"{STARTS}a_list_may_take_as_long_as_it_likes_while_something_comes",
            f"{REFLECTOR}a_list_may_stall_for_30_seconds",
            f"{LAST_KNOWN}where_it_takes_long_it_is_given_in_place_of_what_is_missing",
            f"{SNAPSHOT}an_api_server_that_stalls_is_not_waited_for",
        ),
    ),
    "K05": (
        "a list that is cut",
        (
            f"{STARTS}half_a_list_counts_for_nothing_and_the_old_state_stays",
            "tests/sources/api/test_source.py::test_half_a_list_is_listed_anew_whatever_becomes_of_its_second_page",
        ),
    ),
    "K06": (
        "410 when a watch begins",
        (EXPIRED, f"{OUTAGES}what_changed_during_a_restart_is_seen_and_what_went_is_gone"),
    ),
    "K07": ("410 as an event of a watch", (EXPIRED, f"{REFLECTOR}an_expired_place_means_a_new_list_and_no_trouble")),
    "K08": (
        "watches that end each second",
        (f"{WATCHES}watches_that_end_each_second_delay_no_change_by_more_than_six",),
    ),
    "K09": (
        "a connection that is half open",
        (
            f"{WATCHES}a_half_open_connection_is_noticed_within_100_seconds",
            f"{API}a_connection_that_only_seems_alive_is_replaced",
            f"{OUTAGES}a_frozen_api_server_changes_nothing_and_is_followed_again",
        ),
    ),
    "K10": (
        "bookmarks that never come",
        (
            f"{WATCHES}without_bookmarks_a_half_open_connection_is_still_noticed",
            f"{WATCHES}without_bookmarks_freshness_is_proven_by_new_watches_and_audits",
        ),
    ),
    "K11": ("events that come twice", (f"{WATCHES}events_that_come_twice_are_no_second_revision",)),
    "K12": (
        "an older event behind a newer one",
        (f"{WATCHES}what_an_older_event_behind_a_newer_one_spoils_the_next_audit_mends",),
    ),
    "K13": (
        "changes and deletions of what was never told of",
        (f"{WATCHES}changes_of_what_was_never_told_of_are_taken",),
    ),
    "K14": ("a deletion lost in a gap", (f"{GAPS}a_deletion_lost_in_a_gap_leaves_no_ghost_behind_a_list",)),
    "K15": (
        "another object under the same name",
        (f"{OBJECTS}an_object_that_came_again_under_its_name_is_another_in_one_step",),
    ),
    "K16": (
        "an endpoint in two slices",
        (f"{OBJECTS}an_endpoint_that_moves_from_slice_to_slice_is_there_once_and_all_the_time",),
    ),
    "K17": (
        "a slice that goes before its successor comes",
        (f"{OBJECTS}between_a_slice_and_its_successor_there_is_nothing_as_the_specification_says",),
    ),
    "K18": (
        "a slice that is given to another Service",
        (f"{OBJECTS}a_slice_that_is_given_to_another_service_changes_both_in_one_step",),
    ),
    "K19": (
        "a slice without a Service",
        (f"{OBJECTS}a_slice_waits_for_its_service_and_one_without_label_for_nobody",),
    ),
    "K20": ("odd slices", (f"{OBJECTS}what_is_odd_of_a_slice_is_left_out_and_the_rest_is_there",)),
    "K21": ("readiness that flips a hundred times a second", (f"{OBJECTS}of_a_storm_of_flips_the_last_counts",)),
    "K22": (
        "a token that expires between pages",
        (
            f"{GAPS}a_token_that_expired_between_pages_begins_the_list_anew",
            f"{API}a_token_that_expired_between_pages_restarts_the_list",
        ),
    ),
    "K23": (
        "pages that lie about what remains",
        (f"{GAPS}what_a_server_says_of_remaining_objects_and_empty_pages_mean_nothing",),
    ),
    "K24": ("a list older than what was seen", (f"{GAPS}a_list_older_than_what_was_seen_is_refused",)),
    "K25": ("a server that lags", (f"{GAPS}a_server_that_lags_is_waited_for_and_not_listed_anew",)),
    "K26": (
        "a history that went back, another cluster",
        (
            f"{GAPS}a_history_that_went_back_is_listed_anew_logged_and_counted",
            f"{GAPS}another_cluster_with_later_versions_behind_the_same_address_is_seen_and_all_listed_anew",
            f"{GAPS}whoever_begins_anew_in_the_middle_of_a_list_lists_from_its_start",
            f"{AUDITS}an_etcd_restored_from_a_backup_is_listed_anew",
        ),
    ),
    "K27": (
        "events that are lost",
        (
            f"{GAPS}fifty_lost_events_are_mended_by_the_next_audit_and_counted",
            f"{GAPS}five_hundred_lost_events_are_mended_by_a_list_on_a_new_connection",
            f"{AUDITS}fifty_lost_events_are_mended_by_the_next_audit",
        ),
    ),
    "K28": (
        "a token that isn't taken any more",
        (
            f"{REFUSALS}a_token_that_is_refused_is_read_again_at_once",
            f"{OUTAGES}a_refused_token_is_told_and_read_again",
        ),
    ),
    "K29": (
        "a token that is being written",
        (f"{REFUSALS}while_a_token_is_being_replaced_the_last_one_is_used",),
    ),
    "K30": (
        "another certificate authority",
        ("tests/sources/test_credentials.py::test_a_ca_that_changes_counts_for_the_next_connection",),
    ),
    "K31": (
        "a permission that is taken away",
        (
            f"{REFUSALS}a_permission_taken_away_leaves_what_was_known_and_all_else_goes_on",
            f"{OUTAGES}permissions_are_asked_for_and_their_coming_back_is_seen",
        ),
    ),
    "K32": ("a permission never given", (f"{REFUSALS}what_is_not_needed_and_not_there_keeps_nobody_waiting",)),
    "K33": (
        "a resource that isn't there",
        (
            f"{REFUSALS}what_is_not_needed_and_not_there_keeps_nobody_waiting",
            f"{IMPORTS}where_there_are_no_imports_to_be_had_all_else_is_served_and_they_are_looked_for",
            f"{IMPORTS}imports_come_change_and_go",
            f"{IMPORTS}who_asks_for_no_imports_reads_none",
        ),
    ),
    "K34": ("429, 500, 503, 504", (f"{REFUSALS}a_server_that_cant_answer_is_asked_again_later",)),
    "K35": (
        "a connection that hangs",
        (
            f"{REFUSALS}a_server_that_takes_connections_and_says_nothing_is_left_after_30_seconds",
            f"{WIRE}a_tls_handshake_that_hangs_is_given_up_after_10_seconds",
            "tests/sources/test_credentials.py::test_a_pod_has_server_token_and_ca",
        ),
    ),
    "K36": (
        "servers behind one address, some of them dead or late",
        (f"{GAPS}each_failure_is_followed_by_a_new_connection", f"{GAPS}a_list_older_than_what_was_seen_is_refused"),
    ),
    "K37": (
        "a clock that jumps",
        ("tests/cluster/test_compiler.py::test_serial_grows_whatever_the_clock_does",),
    ),
    "K38": (
        "a process that stands still",
        (f"{WATCHES}a_process_that_stood_still_goes_on_where_it_was",),
    ),
    "K39": (
        "a disk that is full",
        (
            f"{FILE}without_room_the_old_one_stays_and_nothing_else",
            f"{SAVER}what_fails_is_told_once_counted_and_tried_again",
        ),
    ),
    "K40": (
        "a snapshot that isn't to be used",
        (
            f"{FILE}each_of_forty_damaged_snapshots_is_found",
            f"{FILE}a_snapshot_of_something_or_some_time_else_says_what_it_is_of",
            f"{FILE}what_is_no_file_is_neither_followed_nor_waited_for",
            f"{FILE}what_is_too_large_is_not_read",
            f"{LAST_KNOWN}another_cluster_behind_the_same_address_is_told",
            f"{SNAPSHOT}with_a_damaged_snapshot_it_starts_clean",
        ),
    ),
    "K41": (
        "no folder, or one that can't be written",
        (
            f"{FEED}a_pod_without_a_volume_is_told_which_one_to_add",
            f"{FILE}a_folder_that_cannot_be_written_is_told",
            f"{SNAPSHOT}a_folder_of_no_use_is_told_and_does_no_harm",
        ),
    ),
    "K42": (
        "5,000 endpoints of one Service",
        (
            "tests/zone/test_headless.py::test_five_thousand_endpoints_answer_with_all_addresses_and_srv_without_glue",
            "tests/integration/test_big.py::test_as_many_as_fit_are_shown_and_the_rest_is_said_to_be_missing",
            "tests/integration/test_big.py::test_a_change_of_one_slice_is_seen",
        ),
    ),
    "K43": ("10,000 Services in 10 s", (f"{OBJECTS}ten_thousand_services_at_once_are_all_there",)),
    "K44": ("a namespace that goes", (f"{OBJECTS}a_namespace_goes_with_the_last_of_its_services",)),
    "K45": (
        "a Service before its namespace",
        (f"{OBJECTS}a_service_has_its_name_before_its_namespace_is_heard_of",),
    ),
    "K46": (
        "a Service that changes its type",
        (
            f"{OBJECTS}a_service_that_changes_its_type_is_as_it_is_now",
            "tests/integration/test_changes.py::test_a_service_changes_its_type",
        ),
    ),
    "K47": (
        "ExternalNames that lead in a circle, or nowhere",
        (
            "tests/zone/test_external.py::test_a_loop_is_servfail_with_an_extended_error",
            "tests/zone/test_external.py::test_a_target_that_is_an_address_makes_no_name",
            "tests/zone/test_external.py::test_eight_steps_are_followed_and_nine_are_not",
            "tests/cluster/test_compiler.py::test_external_name_that_is_no_name_leads_nowhere",
        ),
    ),
    "K48": (
        "huge, deep and odd JSON",
        (
            f"{OBJECTS}a_huge_object_with_fields_that_nobody_knows_is_read_as_any_other",
            f"{OBJECTS}an_object_that_is_no_json_for_us_leaves_all_others_as_they_are",
            "tests/cluster/test_decode.py::test_odd_json_gives_a_value_or_decode_error",
        ),
    ),
    "K49": (
        "gzip that swells",
        (
            f"{OBJECTS}little_gzip_that_swells_is_refused_and_asked_for_in_smaller_pages",
            f"{WIRE}a_gzip_bomb_is_refused_before_it_is_inflated",
        ),
    ),
    "K50": (
        "an object that can't be read",
        (
            f"{OBJECTS}an_object_that_was_spoiled_on_its_way_is_read_again",
            f"{REFLECTOR}an_object_that_stays_undecodable_is_read_again_three_times_and_then_left_alone",
        ),
    ),
    "K51": (
        "an octet a second",
        (f"{WATCHES}an_octet_a_second_is_enough", f"{WIRE}a_line_of_a_megabyte_can_come_an_octet_at_a_time"),
    ),
    "K52": (
        "replicas that differ",
        (f"{GAPS}replicas_with_the_same_objects_have_the_same_digest_and_others_another",),
    ),
    "K53": (
        "told to stop while it lists or saves, and twice",
        (
            f"{FEED}a_feed_is_not_over_before_what_changed_last_is_saved",
            f"{SAVER}who_is_told_to_stop_while_it_writes_finishes_that",
            f"{LAST_KNOWN}who_ends_before_all_is_listed_leaves_the_snapshot_as_it_was",
            f"{SNAPSHOT}what_changed_last_is_saved_at_the_end_whoever_says_stop_twice",
            "tests/integration/test_processes.py::test_lameduck_answers_on_and_says_that_others_are_to_be_asked",
        ),
    ),
    "K54": (
        "killed again and again, under load, with a slow API server",
        (f"{SNAPSHOT}who_is_killed_again_and_again_starts_from_the_last_state_each_time",),
    ),
}
