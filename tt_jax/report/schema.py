"""The tables that ttnn-visualizer reads, by their columns.

Source: spec/visualizer.md (schema 3.5, as ttnn 0.81.1 writes it; measured by dropping each table under ttnn-visualizer 0.108.0).
Left out are tables of sub-devices and of several hosts, and `nodes` and `edges`, which repeat `captured_graph`: the tool reads
none of them. `tensors.size` (bytes per bank) is an addition: the tool prefers it to a join with `buffers`, which finds nothing
where the last operation on a tensor freed it.
"""

VERSION = "3.5"

TABLES = {
    "devices": (
        "device_id int, num_y_cores int, num_x_cores int, num_y_compute_cores int, num_x_compute_cores int, worker_l1_size int, "
        "l1_num_banks int, l1_bank_size int, address_at_first_l1_bank int, address_at_first_l1_cb_buffer int, "
        "num_banks_per_storage_core int, num_compute_cores int, num_storage_cores int, total_l1_memory int, "
        "total_l1_for_tensors int, total_l1_for_interleaved_buffers int, total_l1_for_sharded_buffers int, cb_limit int"
    ),
    "operations": "operation_id int, name text, duration float",
    "operation_arguments": "operation_id int, name text, value text",
    "tensors": (
        "tensor_id int, shape text, dtype text, layout text, memory_config text, device_id int, address int, buffer_type int, "
        "storage_type text, size int"
    ),
    "device_tensors": "tensor_id int, device_id int, address int",
    "input_tensors": "operation_id int, input_index int, tensor_id int",
    "output_tensors": "operation_id int, output_index int, tensor_id int",
    "buffers": "operation_id int, device_id int, address int, max_size_per_bank int, buffer_type int, buffer_layout int",
    "buffer_chunks": (
        "operation_id int, device_id int, address int, bank_id int, core_x int, core_y int, chunk_address int, chunk_size int, "
        "page_size int, num_pages int, buffer_type int"
    ),
    "captured_graph": "operation_id int, captured_graph text",
    "tensor_lifetime": (
        "tensor_id int, producer_operation_id int, last_use_operation_id int, deallocate_operation_id int, "
        "producer_source_file text, producer_source_line int, last_use_source_file text, last_use_source_line int"
    ),
    "source_files": "id int, path text UNIQUE, contents text",
    "stack_traces": "operation_id int, stack_trace text, source_file_id int",
    "errors": "operation_id int, operation_name text, error_type text, error_message text, stack_trace text, timestamp text",
    "local_tensor_comparison_records": "tensor_id int, golden_tensor_id int, matches int, desired_pcc float, actual_pcc float",
    "global_tensor_comparison_records": "tensor_id int, golden_tensor_id int, matches int, desired_pcc float, actual_pcc float",
    "report_metadata": "key text UNIQUE, value text",
}
"""Columns of each table. Every table has besides a last column `rank`, the host: 0."""


def definitions() -> list[str]:
    """The statements that make the tables."""
    return [f"CREATE TABLE {table} ({columns}, rank int NOT NULL DEFAULT 0)" for table, columns in TABLES.items()]
