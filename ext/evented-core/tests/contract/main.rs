//! The contract of `driver.rs`, sentence by sentence, run for every driver of this machine.
//!
//! Each test is given a [`rig::Rig`], which checks the first clause by itself, for every operation of
//! every test: what was pushed comes back exactly once, and nothing else does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "clippy.toml allows them in test functions, but does not see that this is all test"
)]

mod bytes;
mod cancelling;
mod children;
mod closing;
mod files;
mod many;
mod readiness;
mod rig;
mod standing;
mod through_reactor;
mod waiting;

macro_rules! contract {
    ($($file:ident { $($sentence:ident)+ })+) => {
        #[cfg(target_os = "linux")]
        mod uring {
            $(mod $file { $(
                #[test]
                fn $sentence() {
                    crate::rig::run(evented_core::Driver::uring, crate::$file::$sentence);
                }
            )+ })+
        }

        // Both queues overflow all the time.
        #[cfg(target_os = "linux")]
        mod small_uring {
            $(mod $file { $(
                #[test]
                fn $sentence() {
                    crate::rig::run(|| evented_core::Driver::uring_of(64), crate::$file::$sentence);
                }
            )+ })+
        }

        mod poll {
            $(mod $file { $(
                #[test]
                fn $sentence() {
                    crate::rig::run(evented_core::Driver::poll, crate::$file::$sentence);
                }
            )+ })+
        }
    };
}

contract! {
    bytes {
        recv_takes_what_is_there
        recv_waits_for_what_is_not_there_yet
        recv_works_in_blocking_and_in_nonblocking_mode
        recv_says_zero_at_the_end_of_the_stream
        recv_reports_a_reset_connection
        recv_on_what_is_not_a_socket_fails
        recv_never_writes_past_what_it_reports
        send_puts_bytes_through
        send_waits_for_room
        send_to_a_closed_peer_is_epipe_and_not_a_signal
        read_takes_what_is_in_a_pipe
        read_says_zero_when_all_writers_are_gone
        read_works_in_blocking_and_in_nonblocking_mode
        a_position_in_a_pipe_is_refused_or_means_nothing
        read_from_a_terminal_waits_for_a_line
        read_from_a_device_without_readiness_comes_back
        write_puts_bytes_into_a_pipe
        write_waits_for_room
        write_without_readers_is_epipe
        every_transfer_on_a_bad_descriptor_is_ebadf
    }
    standing {
        receive_brings_all_that_comes_and_then_the_end
        receive_loses_nothing_of_what_came_before_it_was_asked_for
        an_end_right_behind_the_last_bytes_is_not_missed
        an_end_right_behind_the_last_bytes_of_a_connection_is_not_missed
        a_reset_right_behind_the_last_bytes_is_not_missed
        a_reset_ends_a_receive
        a_receive_that_is_stopped_ends_once_and_keeps_what_has_come
        more_than_there_are_buffers_comes_through
        a_chatty_peer_does_not_keep_a_quiet_one_from_being_heard
        receive_from_what_is_no_socket_fails
        accept_brings_every_connection
        send_takes_what_there_is_room_for
        send_waits_for_room_and_can_be_stopped
        ready_comes_once_for_what_is_ready
        everything_can_be_asked_for_on_one_descriptor_at_once
        a_released_descriptor_is_closed_and_its_number_may_come_again
        closing_the_driver_waits_for_what_is_being_sent
    }
    readiness {
        poll_tells_what_is_satisfied
        poll_waits_until_something_is
        poll_hears_of_urgent_data
        poll_of_a_bad_descriptor_is_ebadf
        poll_of_a_regular_file_comes_back_at_once
        urgent_data_in_a_regular_file_never_comes
        a_hang_up_wakes_both_directions
        a_reset_wakes_both_directions
        a_pipe_without_readers_wakes_the_writer
        a_pipe_without_writers_wakes_the_reader
        waiters_on_one_descriptor_wake_for_their_own_direction_only
        all_waiters_of_one_direction_wake
        bytes_flow_in_both_directions_of_one_descriptor
        a_false_alarm_goes_on_waiting
    }
    files {
        a_regular_file_is_written_and_read_back
        a_position_leaves_the_file_where_it_stands
        a_regular_file_ends_with_zero
        a_directory_cannot_be_read
        a_file_opened_for_the_other_direction_is_ebadf
        many_files_at_once_never_hang
        cancelling_a_file_operation_loses_nothing
    }
    children {
        waitid_comes_back_when_the_child_ends
        waitid_leaves_the_status_to_be_reaped
        waitid_of_an_ended_child_comes_back
        waitid_of_a_killed_child_comes_back
        two_waiters_see_one_child_end
        waitid_of_a_reaped_child_is_an_error
        waitid_of_a_group_waits_or_is_refused
    }
    cancelling {
        before_it_is_submitted
        while_it_is_parked
        when_its_turn_has_come_but_nobody_looked
        after_it_has_come_back
        twice
        in_the_turn_of_its_success
        a_cancelled_recv_consumes_nothing
        one_of_many_on_a_descriptor_leaves_the_others
        an_unknown_token_is_harmless
    }
    closing {
        close_ends_the_descriptor
        close_of_a_bad_descriptor_is_ebadf
        cancelling_a_close_changes_nothing
        a_reused_number_stands_for_the_new_file
        a_number_reused_many_times_never_hangs
        buffers_are_left_alone_once_the_driver_is_closed
        an_idle_driver_closes
        a_driver_closes_with_thousands_in_flight
        a_driver_closes_with_files_in_flight
    }
    many {
        more_operations_than_any_queue_holds
        more_transfers_than_any_queue_holds
        more_cancellations_than_any_queue_holds
        a_thousand_descriptors_at_once
        rounds_of_ping_pong
    }
    waiting {
        a_wait_of_zero_does_not_sleep
        a_wait_lasts_as_long_as_its_timeout
        a_wait_of_centuries_sleeps
        what_has_come_is_not_slept_over
        a_ring_before_the_wait_ends_it
        a_ring_from_another_thread_ends_the_wait
        many_rings_are_one
        a_wake_reaches_whoever_announced_to_sleep
        a_wake_while_awake_leaves_the_next_wait_alone
        no_message_of_another_thread_is_slept_over
        the_loop_wants_to_wait_when_something_was_pushed
    }
    through_reactor {
        a_recv_goes_on_until_it_has_enough
        a_recv_is_content_at_the_end_of_the_stream
        a_send_goes_on_until_all_is_out
        a_read_of_a_file_goes_on_until_it_has_enough
        bytes_before_an_error_are_reported_first
        a_deadline_ends_a_wait_and_never_early
        bytes_before_a_deadline_are_not_lost
        what_came_in_time_beats_the_deadline
        closing_a_descriptor_ends_its_waits
        an_interrupted_wait_holds_its_buffer_to_the_end
        the_first_of_many_descriptors_ends_the_wait
        an_abandoned_wait_on_many_leaves_nothing_behind
        an_unpark_from_outside_ends_a_sleep
    }
}

#[test]
fn the_fake_driver_takes_and_gives_back_like_the_others() {
    use evented_core::op::{Close, Op};

    rig::within_the_limit(|| {
        let mut rig = rig::Rig::new(evented_core::Driver::fake());
        let first = rig.push(Op::Close(Close { fd: 0 }));
        let second = rig.push(Op::Close(Close { fd: 0 }));
        rig.cancel(second);
        let script = rig.driver.script().expect("it is a fake");
        assert_eq!(script.pushed.len(), 2);
        assert_eq!(script.cancelled, [second]);
        script.complete(second, -libc::ECANCELED);
        script.complete(first, 0);
        assert!(rig.driver.has_completions());
        assert_eq!(rig.result(first), 0);
        assert_eq!(rig.result(second), -libc::ECANCELED);
    });
}
